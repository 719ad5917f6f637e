// Tests the words of the page's address, and those of strangers on one line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './support/page_globals.mjs';
import { inviteLink, isTooLong, proposeRoom, readLink } from '../../src/web/app/link.mjs';
import { plainLine } from '../../src/web/app/plain.mjs';

const at = href => { globalThis.location = new URL(href); };

test('a room comes through a link as it is called', () => {
  for (const room of ['blue', 'a b&c=d#e', '파란 방', '100%', '+1']) {
    at('https://call.example/path/?x=1');
    const link = inviteLink({ room, token: 'ey.J_-' });
    assert.match(link, /^https:\/\/call\.example\/path\/#room=/, 'only the fragment, which no server gets, has the token');
    at(link);
    assert.deepEqual(readLink(), { room, token: 'ey.J_-', diagnostics: false });
  }
  at('https://call.example/#diagnostics');
  assert.deepEqual(readLink(), { room: '', token: undefined, diagnostics: true });
  at('https://call.example/#room=%20blue%20&token=');
  assert.deepEqual(readLink(), { room: 'blue', token: undefined, diagnostics: false });
  assert.doesNotMatch(inviteLink({ room: 'blue' }), /token/);
});

test('a room may have 64 characters', () => {
  assert.deepEqual([isTooLong('😀'.repeat(64)), isTooLong('x'.repeat(65))], [false, true]);
  assert.match(proposeRoom(), /^[a-z]+-[a-z]+-[a-z]+$/);
});

test('a stranger\'s words stay on their line and in their direction', () => {
  assert.equal(plainLine(' Ann\n\u0000\u202egro.elpmaxe\u2066\u200f '), 'Anngro.elpmaxe');
  assert.equal(plainLine('👩\u200d💻'), '👩\u200d💻');
  assert.deepEqual([plainLine(undefined), plainLine(7)], ['', '7']);
});
