// Tests the chat of the first lesson. The other side consists of the usual few lines with the ws library.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { inSeconds, secret, startServer, token } from './support/server.mjs';
import { connect } from './support/client.mjs';
import { request } from './support/http.mjs';

test('a text goes to all clients, and a client\'s messages are distinguished by their type', async t => {
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

test('empty texts also count for a client that does not read', async t => {
  const server = await startServer({ signaling: ['max_waiting: 8000000', 'bytes_per_second_per_address: 0'] });
  t.after(server.stop);
  const root = server.url.replace('http', 'ws');
  const [ann, slow] = [await connect(root), await connect(root)];
  slow.pause();
  const say = async (text, count) => {
    for (let i = 0; i < count; ++i) ann.say(text);
    for (let i = 0; i < count; ++i) assert.equal(await ann.hearText(), text);
  };
  await say('x'.repeat(60_000), 100); // more than the kernel holds, and less than what may wait
  assert.doesNotMatch(server.log(), /slow-reader/);
  const refused = () => /signaling refused slow-reader from 127\.0\.0\.1 \(signaling\.max_waiting\)/.test(server.log());
  for (let i = 0; i < 100 && !refused(); ++i) await say('', 1000);
  assert.ok(refused(), server.log());
  ann.close();
  slow.terminate();
});

test('the chat requires a token when access requires one', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const root = server.url.replace('http', 'ws');
  await assert.rejects(connect(root), error => error.status === 401);
  const { headers: refusal } = await request(server.url, '/', { headers: {
    connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' } });
  assert.equal(refusal['www-authenticate'], 'Bearer');
  const headers = { authorization: `Bearer ${token({ exp: inSeconds(60) })}` };
  (await connect(root, { headers })).close();
});

test('the chat refuses binary messages, and clients whose tokens name one room form one group', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const root = server.url.replace('http', 'ws');
  const by = room => connect(root, { headers: { authorization: `Bearer ${token({ exp: inSeconds(60), room })}` } });
  const [ann, bob, eve] = [await by('blue'), await by('blue'), await by('red')];
  ann.say('for blue');
  assert.equal(await ann.hearText(), 'for blue');
  assert.equal(await bob.hearText(), 'for blue');
  eve.say('for red');
  assert.equal(await eve.hearText(), 'for red');
  bob.send(Buffer.from([0xff, 0xfe, 0x80]));
  assert.equal((await bob.ended).code, 1003);
  ann.say('still here');
  assert.equal(await ann.hearText(), 'still here', 'and nothing of red before it');
  ann.close();
  eve.close();
});

test('the chat ends when the token expires', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const headers = { authorization: `Bearer ${token({ exp: inSeconds(-54) })}` }; // some seconds of the leeway are left
  const ann = await connect(server.url.replace('http', 'ws'), { headers });
  const timer = setInterval(() => ann.say('hello'), 100);
  t.after(() => clearInterval(timer));
  const { code, reason } = await within(30_000, 'the end of the chat', ann.ended);
  assert.equal(code, 1008);
  assert.equal(reason, 'token-expired');
});

for (const preset of ['echo', 'none']) {
  test(`there is no chat with preset: ${preset}`, async t => {
    const server = await startServer({ signaling: [`preset: ${preset}`] });
    t.after(server.stop);
    await assert.rejects(connect(server.url.replace('http', 'ws')), error => error.status === 404);
  });
}
