// The first lesson's chat, with the ws library's usual few lines on the other side.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inSeconds, secret, startServer, token } from './support/server.mjs';
import { connect } from './support/client.mjs';

test('sockets, a text to everyone, and a switch on type', async t => {
  const server = await startServer();
  t.after(server.stop);
  const root = server.url.replace('http', 'ws');
  const [ann, bob] = [await connect(root), await connect(root)];
  ann.say('hello');
  assert.equal(await ann.hearText(), 'hello');
  assert.equal(await bob.hearText(), 'hello');
  bob.say({ type: 'nickname', payload: 'Bob' });
  bob.say({ type: 'new_message', payload: 'hi <b>there</b>' });
  for (const client of [ann, bob]) assert.equal(await client.hearText(), 'Bob: hi <b>there</b>');
  ann.say({ type: 'new_message', payload: 'so' });
  for (const client of [ann, bob]) assert.equal(await client.hearText(), 'Anon: so');
  bob.terminate();
  await bob.ended;
  ann.say('alone');
  assert.equal(await ann.hearText(), 'alone');
  ann.close();
});

test('where a token is asked for, the chat asks too', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const root = server.url.replace('http', 'ws');
  await assert.rejects(connect(root), error => error.status === 401);
  const headers = { authorization: `Bearer ${token({ exp: inSeconds(60) })}` };
  (await connect(root, { headers })).close();
});
