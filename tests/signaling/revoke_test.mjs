// Tests a token that an operator revokes: it is refused from then on, clients that have used it are told and
// disconnected, and the relay credentials that were issued for it are no longer valid. Others are not
// affected.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { connect, member } from './support/client.mjs';
import { request } from './support/http.mjs';
import { inSeconds, secret, startServer, token } from './support/server.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');
const run = promisify(execFile);
const built = name => fileURLToPath(new URL(`../../build/release/${name}`, import.meta.url));
const turnpikectl = process.env.TURNPIKECTL ?? built('turnpikectl');
const stunclient = process.env.STUNCLIENT ?? built('stunclient');

// `auth` returns lines for that section, which may name the folder.
async function start(t, { folder = temporaryDirectory('revoke'), auth = () => [] } = {}) {
  const socket = `${folder.path}/admin.sock`;
  const more = [`admin: {listen: "unix:${socket}"}`, 'auth:', '  nonce_lifetime: 600s', ...auth(folder.path).map(line => `  ${line}`)];
  const server = await startServer({
    signaling: ['access: token', `token_secrets: [${secret}]`, 'recovery: 120s'],
    more,
  });
  t.after(async () => { await server.stop(); folder.remove(); });
  const revoke = async (...words) => JSON.parse((await run(turnpikectl, ['--socket', socket, '--json', 'revoke', ...words])).stdout);
  return { ...server, revoke };
}

// Makes a token that was issued a little while ago.
const tokenOf = claims => token({ exp: inSeconds(600), iat: inSeconds(-5), ...claims });
const refused = error => error.code === 'token-revoked';
const headersWith = claims => ({ authorization: `Bearer ${tokenOf(claims)}` });
const join = claims => ({ type: 'join', room: 'blue', name: 'x', token: tokenOf(claims) });

test('one token is revoked by its id', async t => {
  const server = await start(t);
  const ann = await connect(server.ws);
  const [{ resume, self }] = await ann.request(join({ jti: 'a', sub: 'ann' }));
  const bob = await connect(server.ws);
  await bob.request(join({ jti: 'b', sub: 'bob' }));
  await ann.hear('peer-joined');
  const raw = await connect(server.url.replace('http', 'ws'), { headers: headersWith({ jti: 'a' }) });

  const said = await server.revoke('a');
  assert.equal(said.token_id, 'a');
  assert.ok(Date.parse(said.until) > Date.now() + 719 * 3_600_000);
  assert.equal((await ann.hear('error')).code, 'token-revoked');
  assert.deepEqual(await ann.ended, { code: 1008, reason: 'token-revoked' });
  assert.deepEqual(await raw.ended, { code: 1008, reason: 'token-revoked' });
  assert.equal((await bob.hear('peer-left')).id, self);
  await bob.request({ type: 'broadcast', data: 1 });

  const again = await connect(server.ws);
  await assert.rejects(again.request(join({ jti: 'a', sub: 'ann' })), refused);
  await assert.rejects(again.request({ type: 'resume', resume }), error => error.code === 'resume-unknown');
  await again.request(join({ jti: 'c', sub: 'ann' }));
  const answer = await request(server.url, '/ice-servers', { headers: headersWith({ jti: 'a' }) });
  assert.equal(answer.status, 401);
  assert.equal(JSON.parse(answer.body).code, 'token-revoked');
  assert.equal((await request(server.url, '/ice-servers', { headers: headersWith({ jti: 'b' }) })).status, 200);
  for (const line of [again, bob]) line.close();
});

test('a member that was cut off cannot come back with a revoked token', async t => {
  const server = await start(t);
  const ann = await connect(server.ws);
  const [{ resume }] = await ann.request(join({ jti: 'a' }));
  ann.terminate();
  await ann.ended;
  await server.revoke('a');
  const back = await connect(server.ws);
  await assert.rejects(back.request({ type: 'resume', resume }), error => error.code === 'resume-unknown');
  back.close();
});

test('a revoked token ends Socket.IO on each transport', async t => {
  const server = await start(t);
  for (const transport of ['websocket', 'polling']) {
    const enter = async claims => {
      const socket = io(server.url, { auth: { token: tokenOf(claims) }, forceNew: true, transports: [transport], reconnection: false });
      t.after(() => socket.disconnect());
      const heard = name => within(5000, name, new Promise(resolve => { socket.once(name, resolve); }));
      const error = await Promise.race([heard('connect').then(() => null), heard('connect_error')]);
      return { socket, heard, code: error?.data?.code };
    };
    const ann = await enter({ jti: transport, sub: 'ann' });
    const bob = await enter({ jti: 'b', sub: 'bob' });
    await ann.socket.timeout(5000).emitWithAck('enter_room', 'blue');
    await bob.socket.timeout(5000).emitWithAck('enter_room', 'blue');
    const told = ann.heard('token_revoked');
    const disconnected = ann.heard('disconnect');
    const left = bob.heard('leave_room');
    const { id } = ann.socket;
    await server.revoke(transport);
    await told;
    assert.equal(await disconnected, 'io server disconnect');
    assert.equal(await left, id);
    assert.equal((await enter({ jti: transport })).code, 'token-revoked');
    assert.ok(bob.socket.connected);
    bob.socket.disconnect();
  }
});

test('all former tokens of a subject and its relay credentials are revoked', async t => {
  const server = await start(t);
  const udp = server.listeners.find(url => url.startsWith('udp')).match(/(\d+)$/)[1];
  const relays = ({ username, credential }) => run(stunclient, ['--turn', '--user', username, '--password', credential, '127.0.0.1', udp]);
  const credentialsOf = async claims => {
    const { status, body } = await request(server.url, '/ice-servers', { headers: headersWith(claims) });
    assert.equal(status, 200, body.toString());
    return JSON.parse(body).iceServers.find(entry => entry.credential);
  };
  const ann = await credentialsOf({ sub: 'ann' });
  const bob = await credentialsOf({ sub: 'bob' });
  await relays(ann);
  const line = await connect(server.ws);
  await line.request(join({ sub: 'ann', jti: 'x' }));
  const chat = claims => connect(server.url.replace('http', 'ws'), { headers: headersWith(claims) });
  const [annsChat, bobsChat] = [await chat({ sub: 'ann' }), await chat({ sub: 'bob' })];
  const newer = await chat({ sub: 'ann', iat: inSeconds(30) }); // with a token of after the revocation

  assert.equal((await server.revoke('--subject', 'ann', '--for', '1h')).subject, 'ann');
  assert.equal((await line.hear('error')).code, 'token-revoked');
  await line.ended;
  assert.deepEqual(await within(8000, 'the end of the chat', annsChat.ended), { code: 1008, reason: 'token-revoked' });
  bobsChat.say('still here');
  for (const chatting of [bobsChat, newer]) assert.equal(await chatting.hearText(), 'still here');
  for (const chatting of [bobsChat, newer]) chatting.close();
  await assert.rejects(relays(ann));
  await relays(bob);
  const again = await connect(server.ws);
  await assert.rejects(again.request(join({ sub: 'ann', jti: 'y' })), refused);
  await assert.rejects(again.request(join({ sub: 'ann', iat: undefined })), refused);
  // A client with a newer token is admitted, with credentials that expire later.
  const fresh = { sub: 'ann', iat: inSeconds(2) };
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      await relays(await credentialsOf(fresh));
      break;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
  await again.request(join(fresh));
  again.close();
});

test('a subject whose name looks like a guest\'s can be revoked', async t => {
  const server = await start(t);
  const subject = 'guest-0a1b2c3d4e5f';
  const made = await relayCredentials(server, { sub: subject });
  assert.match(made.username, new RegExp(`^\\d+:sub-${subject}$`));
  assert.equal(await isRelayed(server, made), true);
  const line = await connect(server.ws);
  await line.request(join({ sub: subject }));
  assert.equal((await server.revoke('--subject', subject)).subject, subject);
  await line.ended;
  assert.equal(await isRelayed(server, made), false);
  await assert.rejects((await connect(server.ws)).request(join({ sub: subject })), refused);
});

test('arguments that cannot be revoked', async t => {
  const server = await start(t);
  const isBadName = error => JSON.parse(error.stdout).error.code === 'bad-name';
  for (const words of [[''], ['x'.repeat(257)], ['--subject', 'a\nb']])
    await assert.rejects(server.revoke(...words), isBadName, words.join(' '));
  const said = pattern => error => error.code === 1 && pattern.test(error.stdout + error.stderr);
  for (const [pattern, ...words] of [[/--subject is required/], [/--subject excludes/, 'a', '--subject', 'b'],
    [/for_s/, 'a', '--for', '0s'], [/for_s/, 'a', '--for', '9000h']])
    await assert.rejects(server.revoke(...words), said(pattern), words.join(' '));
  assert.equal((await server.revoke('a')).token_id, 'a');
});

// Returns the relay credentials that a token gets.
async function relayCredentials(server, claims) {
  const { iceServers } = JSON.parse((await request(server.url, '/ice-servers', { headers: headersWith(claims) })).body);
  return iceServers.find(one => one.credential);
}

const isRelayed = async (server, { username, credential }) => {
  const { port } = new URL(server.listeners.find(one => one.startsWith('udp')).replace('udp', 'http'));
  return run(stunclient, ['--turn', '--user', username, '--password', credential, '127.0.0.1', port])
    .then(() => true, () => false);
};

test('with a database, revocations survive a restart', async t => {
  const folder = temporaryDirectory('revoke');
  const options = { folder, auth: path => [`database: sqlite:${path}/users.db`, `secrets: [${secret}-of-the-relay]`] };
  const before = await start(t, options);
  const ann = await relayCredentials(before, { jti: 'x', sub: 'ann' });
  const cat = await relayCredentials(before, { jti: 'y', sub: 'cat' });
  assert.equal(await isRelayed(before, ann), true);
  const line = await connect(before.ws);
  await line.request(join({ jti: 'c', sub: 'cat' }));
  assert.equal((await before.revoke('c')).kept, true);
  await line.ended;
  const { until } = await before.revoke('--subject', 'ann');
  assert.ok(Date.parse(until) > Date.now());
  assert.equal(await before.stop(), 0);

  const server = await start(t, options);
  const again = await connect(server.ws);
  await assert.rejects(again.request(join({ jti: 'c', sub: 'cat' })), refused);
  await assert.rejects(again.request(join({ jti: 'x', sub: 'ann' })), refused);
  assert.equal(await isRelayed(server, ann), false);
  assert.equal(await isRelayed(server, cat), false, 'since a member with this subject had the token');
  await again.request(join({ jti: 'd', sub: 'dan' }));
  assert.equal(await isRelayed(server, await relayCredentials(server, { jti: 'd', sub: 'dan' })), true);
  again.close();
});

test('without a database the answer says that a restart forgets the revocation', async t => {
  const server = await start(t);
  assert.equal((await server.revoke('a')).kept, false);
});

test('an impossible name is refused, and a file with one does not prevent a start', async t => {
  const folder = temporaryDirectory('revoke');
  const options = { folder, auth: path => [`database: sqlite:${path}/users.db`, `secrets: [${secret}-of-the-relay]`] };
  const before = await start(t, options);
  const control = async (...words) => (await run(turnpikectl, ['--socket', `${folder.path}/admin.sock`, ...words])).stderr;
  assert.equal((await before.revoke('--subject', 'a'.repeat(508))).kept, true);
  await assert.rejects(before.revoke('--subject', 'a'.repeat(509)), error => JSON.parse(error.stdout).error.code === 'bad-name');
  assert.doesNotMatch(await control('check', before.file), /revocations/);

  // The first is a name that an earlier version accepted. The second was revoked before the clock was set
  // back.
  const [name, end] = ['b'.repeat(600), Date.now() + 60 * 86_400_000];
  await run('python3', ['-c', `import sqlite3
with sqlite3.connect(${JSON.stringify(`${folder.path}/users.db`)}) as file:
    file.executemany("INSERT INTO revocations VALUES ('subject', ?, ?, ?)", [("${name}", 0, ${end}), ("ann", ${end - 1000}, ${end})])`]);
  assert.match(await control('check', before.file), /revocations .* are ignored: 1/);
  await control('reload');
  assert.equal(await before.stop(), 0);
  assert.match(before.log(), /revocations .* are ignored: 1/);

  const server = await start(t, options);
  assert.equal((await server.revoke('--subject', 'ann')).kept, true, 'it was revoked for longer already');
  const line = await connect(server.ws);
  await assert.rejects(line.request(join({ sub: 'ann' })), refused);
  line.close();
  assert.equal(await server.stop(), 0);
  assert.match(server.log(), /revocations .* are ignored: 1/);
});
