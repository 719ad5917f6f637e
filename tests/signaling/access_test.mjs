// Tests who is admitted: hosts, origins, proxies and addresses, what a client may cost, and what the log says
// of refusals.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { within } from '../browser/support/cleanup.mjs';
import { connect, member } from './support/client.mjs';
import { exchange, request } from './support/http.mjs';
import { inSeconds, secret, startServer, token } from './support/server.mjs';

const proxied = ['access: open', 'trusted_proxies: [127.0.0.1]'];

// Sends these lines of a request unchanged. Resolves to the status of the answer.
async function statusOf(port, ...lines) {
  const text = await exchange(port, [...lines, 'Connection: close', '', ''].join('\r\n'));
  return Number(text.match(/^HTTP\/1\.[01] (\d+) /)?.[1]);
}

test('a page whose own name resolves to this machine gets nothing', async t => {
  const { certificate, privateKey } = makeCertificate('cert.example');
  const server = await startServer({ signaling: ['access: open', 'public_host: turn.example.org', 'hosts: ["*.loca.lt", tunnel.example]'],
    more: [`tls: {certificate: ${certificate}, private_key: ${privateKey}}`] });
  t.after(server.stop);
  const ask = (host, path = '/ice-servers') => request(server.url, path, { headers: { host } });
  for (const host of ['localhost', 'LOCALHOST:8080', '127.0.0.1', `127.0.0.1:${server.port}`, '[::1]:80', '192.0.2.1',
    'turn.example.org', 'blue.loca.lt', 'tunnel.example:443', 'cert.example'])
    assert.equal((await ask(host)).status, 200, host);
  for (const host of ['evil.example', `evil.example:${server.port}`, 'loca.lt', 'localhost.evil.example'])
    for (const path of ['/', '/ice-servers', '/turn?service=turn', '/socket.io/?EIO=4&transport=polling', '/socket.io/socket.io.js'])
      assert.equal((await ask(host, path)).status, 403, `${host}${path}`);
  await assert.rejects(connect(server.ws, { headers: { host: 'evil.example' }, origin: 'http://evil.example' }),
    error => error.status === 403);
  assert.equal(await statusOf(server.port, 'GET /ice-servers HTTP/1.0'), 200, 'who names no host is no browser');
  await server.stop(); // then the log is complete
  assert.match(server.log(), /signaling refused host "evil\.example" from 127\.0\.0\.1 \(signaling\.hosts\)/);
});

test('when a token is required, any host is accepted', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const headers = { host: 'any.example', authorization: `Bearer ${token({ exp: inSeconds(60) })}` };
  assert.equal((await request(server.url, '/ice-servers', { headers })).status, 200);
});

test('our own origin has many spellings', async t => {
  const server = await startServer({ signaling: [...proxied, 'public_host: turn.example.org', 'hosts: [call.example]',
    'cors: ["HTTPS://App.Example:443/", null]'] });
  t.after(server.stop);
  const from = async (origin, headers) => (await request(server.url, '/ice-servers', { headers: { origin, ...headers } }));
  for (const [origin, headers] of [
    ['https://turn.example.org', { host: 'turn.example.org:443' }],
    ['https://turn.example.org', {}],
    ['https://call.example', { host: 'call.example:443' }],
    ['https://page.example', { 'x-forwarded-host': 'page.example', 'x-forwarded-for': '198.51.100.1' }],
    ['https://app.example', {}],
    ['null', {}],
  ]) {
    assert.equal((await from(origin, headers)).status, 200, `${origin} ${JSON.stringify(headers)}`);
    (await connect(server.ws, { origin, headers })).close();
  }
  const allowed = await from('null', {});
  assert.equal(allowed.headers['access-control-allow-origin'], 'null');
  for (const origin of ['https://evil.example', 'https://turn.example.org:8443', 'http://app.example'])
    assert.equal((await from(origin, {})).status, 403, origin);
  await assert.rejects(connect(server.ws, { origin: 'https://evil.example' }), error => error.status === 403);
  assert.equal((await from('https://page.example', { 'x-forwarded-host': 'page.example, other.example' })).status, 403);
  await server.stop(); // then the log is complete
  assert.match(server.log(), /signaling refused origin "https:\/\/evil\.example" from 127\.0\.0\.1 \(signaling\.cors\)/);
});

test('the client of a proxy is read from all lines of X-Forwarded-For', async t => {
  const server = await startServer({ signaling: proxied });
  t.after(server.stop);
  const guest = async (...lines) => {
    const text = await exchange(server.port, ['GET /ice-servers HTTP/1.1', 'Host: localhost', 'Connection: close',
      ...lines.map(line => `X-Forwarded-For: ${line}`), '', ''].join('\r\n'));
    return text.match(/\d+:(guest-[\w-]+)/)[1];
  };
  const [a, b] = [await guest('198.51.100.1'), await guest('198.51.100.2')];
  assert.notEqual(a, b);
  assert.equal(await guest('198.51.100.1', '198.51.100.2'), b, 'as HAProxy leaves it');
  assert.equal(await guest('198.51.100.1, 198.51.100.2'), b);
  assert.equal(await guest('198.51.100.2', '198.51.100.1, 127.0.0.1'), a);
});

test('guests count by their address, in every room', async t => {
  const server = await startServer({ signaling: proxied });
  t.after(server.stop);
  const guest = async (address, room) => {
    const one = await member(server.ws, room, 'x', { headers: { 'x-forwarded-for': address } });
    one.close();
    return one.joined.iceServers.at(-1).username.split(':')[1];
  };
  const ann = await guest('198.51.100.1', 'blue');
  assert.match(ann, /^guest-/);
  assert.equal(await guest('198.51.100.1', 'red'), ann);
  assert.notEqual(await guest('198.51.100.2', 'blue'), ann);
  const { body } = await request(server.url, '/ice-servers', { headers: { 'x-forwarded-for': '198.51.100.1' } });
  assert.equal(JSON.parse(body).iceServers.at(-1).username.split(':')[1], ann, 'by HTTP too');
});

test('limits of connections count the client that a proxy names', async t => {
  const server = await startServer({ signaling: [...proxied, 'connections_per_address: 3', 'connections: 20'] });
  t.after(server.stop);
  const as = address => ({ headers: { 'x-forwarded-for': address } });
  const open = [];
  for (let i = 0; i < 3; ++i) open.push(await connect(server.ws, as('198.51.100.1')));
  await assert.rejects(connect(server.ws, as('198.51.100.1')), error => error.status === 429);
  const refused = await request(server.url, '/ice-servers', as('198.51.100.1'));
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  const unread = await exchange(server.port, ['POST /socket.io/?EIO=4&transport=polling HTTP/1.1', 'Host: localhost',
    'X-Forwarded-For: 198.51.100.1', 'Content-Length: 1000', '', ''].join('\r\n'));
  assert.match(unread, /^HTTP\/1\.1 429 [^]*\r\nConnection: close\r\n/, 'nobody waits for its body');
  assert.equal((await request(server.url, '/ice-servers', as('198.51.100.2'))).status, 200);
  const itself = [];
  for (let i = 0; i < 4; ++i) itself.push(await connect(server.ws)); // the proxy itself is not counted
  for (const socket of itself) socket.close();
  await Promise.all(itself.map(({ ended }) => ended));

  open[0].close();
  await open[0].ended;
  const freed = async () => {
    try { return await connect(server.ws, as('198.51.100.1')); } catch (error) { assert.equal(error.status, 429); }
  };
  let again;
  await within(5000, 'its place to be free again', (async () => { while (!(again = await freed())); })());
  open.push(again);

  // All of them together are too many, although each is from another client.
  let status;
  for (let i = 0; i < 20 && !status; ++i)
    await connect(server.ws, as(`198.51.100.${100 + i}`)).then(socket => open.push(socket), error => { status = error.status; });
  assert.equal(status, 429);
  for (const socket of open) socket.close();
  await server.stop(); // then the log is complete
  assert.match(server.log(), /signaling refused connection from 198\.51\.100\.1 \(signaling\.connections_per_address\)/);
});

test('as many connections are accepted in all as configured, and no more', async t => {
  const server = await startServer({ signaling: ['connections: 2'] });
  t.after(server.stop);
  const open = [await connect(server.ws), await connect(server.ws)];
  await assert.rejects(connect(server.ws), error => error.status === 429);
  open[0].close();
  await open[0].ended;
  const freed = () => connect(server.ws).catch(error => { assert.equal(error.status, 429); });
  let again;
  await within(5000, 'its place to be free again', (async () => { while (!(again = await freed())); })());
  for (const socket of [open[1], again]) socket.close();
  await server.stop(); // then the log is complete
  assert.match(server.log(), /signaling refused connection from 127\.0\.0\.1 \(signaling\.connections\)/);
});

test('limits of connections also count clients in the same network as the proxy', async t => {
  const server = await startServer({ signaling: ['access: open', 'trusted_proxies: [127.0.0.0/8]', 'connections_per_address: 1'] });
  t.after(server.stop);
  const as = { headers: { 'x-forwarded-for': '127.9.9.9' } };
  const first = await connect(server.ws, as);
  await assert.rejects(connect(server.ws, as), error => error.status === 429);
  first.close();
});

test('a client that causes too much traffic must wait, is then closed, and harms nobody', async t => {
  const server = await startServer({ signaling: [...proxied, 'bytes_per_second_per_address: 50000'] });
  t.after(server.stop);
  const root = server.url.replace('http', 'ws');
  const listeners = [];
  for (let i = 0; i < 20; ++i) listeners.push(await connect(root, { headers: { 'x-forwarded-for': '198.51.100.2' } }));
  const talker = await connect(root, { headers: { 'x-forwarded-for': '198.51.100.1' } });
  talker.say('x'.repeat(10_000)); // to 21 people, which is a little more than four seconds' worth
  talker.say('x'.repeat(30_000)); // more than anybody waits for
  talker.say('x'.repeat(30_000));
  const { code, reason } = await talker.ended;
  assert.equal(code, 1008);
  assert.equal(reason, 'too much at once');
  listeners[0].say('and I?');
  for (let text; text !== 'and I?';) text = await listeners[1].hearText();
  for (const socket of listeners) socket.close();
  assert.equal(await server.stop(), 0);
  const [, rests, closed] = server.log().match(/ rests=(\d+) closed_dear=(\d+)/);
  assert.equal(rests, '1');
  assert.equal(closed, '1');
});

// The same for what members of a room say; the receivers are at another address.
for (const [protocol, path] of [['plain', '/ws'], ['Socket.IO', '/socket.io/?EIO=4&transport=websocket']]) {
  test(`what others get costs the member who says it: ${protocol}`, async t => {
    const server = await startServer({ signaling: [...proxied, 'bytes_per_second_per_address: 50000', 'members_per_room: 30'] });
    t.after(server.stop);
    const isPlain = protocol === 'plain';
    const enter = async address => {
      const client = await connect(server.url.replace('http', 'ws') + path, { headers: { 'x-forwarded-for': address } });
      if (isPlain) {
        await client.request({ type: 'join', room: 'blue' });
      } else {
        assert.match(await client.hearText(), /^0/);
        client.say('40');
        assert.match(await client.hearText(), /^40/);
        client.say('420["join_room","blue"]');
        assert.equal(await client.hearText(), '430[]');
      }
      return client;
    };
    const say = (client, text) => client.say(isPlain ? { type: 'broadcast', data: text } : `42["chat","${text}","blue"]`);
    const listeners = [];
    for (let i = 0; i < 20; ++i) listeners.push(await enter(`198.51.100.${10 + i}`)); // each has its own costs
    const talker = await enter('198.51.100.1');
    say(talker, 'x'.repeat(10_000)); // to 20 people, which is about four seconds' worth
    say(talker, 'x'.repeat(30_000)); // more than anybody waits for
    say(talker, 'x');
    const { code, reason } = await within(20_000, 'the end of who costs too much', talker.ended);
    assert.deepEqual([code, reason], [1008, 'too much at once']);
    say(listeners[0], 'and I?');
    for (let text = ''; !text.includes('and I?');) text = await listeners[1].hearText();
    for (const socket of listeners) socket.close();
  });
}

test('a polling client that causes too much traffic is refused', async t => {
  const server = await startServer({ signaling: ['bytes_per_second_per_address: 2500'] });
  t.after(server.stop);
  const poll = '/socket.io/?EIO=4&transport=polling';
  const { sid } = JSON.parse((await request(server.url, poll)).body.toString().slice(1));
  const post = body => request(server.url, `${poll}&sid=${sid}`, { method: 'POST', body });
  assert.equal((await post('40')).status, 200);
  assert.equal((await post(`42["x","${'y'.repeat(60_000)}"]`)).status, 200);
  const refused = await post('42["x","y"]');
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  // Its client takes this for the end, so nobody has to wait for a pong of it.
  const after = await request(server.url, `${poll}&sid=${sid}`);
  assert.deepEqual([after.status, JSON.parse(after.body).code], [400, 1]);
  await server.stop(); // then the log is complete
  assert.match(server.log(), /signaling refused rate-limited from 127\.0\.0\.1 \(signaling\.bytes_per_second_per_address\)/);
});

test('a client is told when its token has expired, and may send a new one', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const brief = () => token({ exp: inSeconds(-54) }); // some seconds of the leeway are left
  const ann = await connect(server.ws);
  const [joined] = await ann.request({ type: 'join', room: 'blue', name: 'Ann', token: brief() });
  assert.ok(joined.iceServers);
  assert.equal((await ann.hear('error', 30_000)).code, 'token-expired');
  await assert.rejects(ann.request({ type: 'ice-servers' }), error => error.code === 'token-expired');
  await assert.rejects(ann.request({ type: 'token', token: token({ exp: inSeconds(-61) }) }), error => error.code === 'token-expired');
  ann.terminate();
  await ann.ended;

  const back = await connect(server.ws);
  const [resumed, told] = await back.request({ type: 'resume', resume: joined.resume });
  assert.equal(resumed.self, joined.self);
  assert.equal(resumed.iceServers, undefined);
  assert.equal(told.code, 'token-expired');
  const [fresh] = await back.request({ type: 'token', token: token({ exp: inSeconds(60) }) });
  assert.equal(fresh.type, 'ice-servers');
  back.close();
});

test('the log has each kind of refusal once, with the configuration key that decides', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`, 'members_per_room: 1'] });
  t.after(server.stop);
  for (let i = 0; i < 5; ++i) await request(server.url, '/ice-servers');
  await request(server.url, '/ice-servers', { headers: { authorization: 'Bearer x' } });
  const poll = '/socket.io/?EIO=4&transport=polling';
  const { sid } = JSON.parse((await request(server.url, poll)).body.toString().slice(1));
  assert.equal((await request(server.url, `${poll}&sid=${sid}`, { method: 'POST', body: '40' })).status, 200);
  const join = async name => {
    const one = await connect(server.ws);
    await one.request({ type: 'join', room: 'blue', name, token: token({ exp: inSeconds(60) }) });
    return one;
  };
  const ann = await join('Ann');
  await assert.rejects(join('Bob'), error => error.code === 'room-full');
  ann.close();
  assert.equal((await request(server.url, '/turn', { method: 'POST', body: 'x'.repeat(70_000) })).status, 413);
  assert.equal(await server.stop(), 0);
  const lines = server.log().match(/info signaling refused .*/g);
  assert.deepEqual(lines, [
    'info signaling refused token-required from 127.0.0.1 (signaling.access)',
    'info signaling refused token-invalid from 127.0.0.1 (signaling.token_secrets)',
    'info signaling refused room-full from 127.0.0.1 (signaling.members_per_room)',
    'info signaling refused message from 127.0.0.1 (signaling.max_payload)',
  ]);
  assert.match(server.log(), /signaling refused: message=1 room-full=1 token-invalid=1 token-required=6/);
});
