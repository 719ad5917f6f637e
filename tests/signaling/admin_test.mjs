// Tests the admin listener by HTTP: who may see what, and that programs get what they ask for.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { join } from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';
import { temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { connect, member } from './support/client.mjs';
import { exchange, request } from './support/http.mjs';
import { inSeconds, secret, startServer, token } from './support/server.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

const stunclient = process.env.STUNCLIENT ?? fileURLToPath(new URL('../../build/release/stunclient', import.meta.url));
const adminSecret = 'an-admin-secret-of-32-characters';

async function startAdmin({ more = [], top = [], ...options } = {}) {
  const folder = temporaryDirectory('admin');
  const socket = join(folder.path, 'admin.sock');
  const server = await startServer({ ...options, more: [
    `admin: {listen: ["unix:${socket}", "http://127.0.0.1:0"], ${more.join(', ')}}`, ...top] });
  const url = server.log().match(/admin: listening on (http:\S+)/)[1];
  // Sends a request by the unix socket.
  const ask = (path, { method = 'GET', body } = {}) => new Promise((resolve, reject) => {
    const sent = http.request({ socketPath: socket, path, method, headers: { host: 'localhost' } }, response => {
      let text = '';
      response.on('data', chunk => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
  const stop = async () => { const status = await server.stop(); folder.remove(); return status; };
  return { ...server, stop, admin: url, socket, ask };
}

// Makes allocations with a client of another project. They stay after this client has ended.
async function holdAllocations(server, t) {
  const port = new URL(server.listeners[0].replace('udp', 'http')).port;
  const client = spawn('turnutils_uclient',
    ['-y', '-c', '-m', '1', '-n', '1000', '-l', '100', '-u', 'alice', '-w', 'secret', '-p', port, '127.0.0.1'], { stdio: 'ignore' });
  t.after(() => client.kill('SIGKILL'));
  const list = async () => JSON.parse((await server.ask('/v1/allocations')).body).allocations;
  await within(10_000, 'an allocation', (async () => { while ((await list()).length === 0); })());
  client.kill('SIGKILL');
}

test('health, readiness and metrics', async t => {
  const server = await startAdmin();
  t.after(server.stop);
  assert.equal((await request(server.admin, '/healthz')).status, 200);
  assert.equal((await request(server.admin, '/readyz')).status, 200);
  const answer = await request(server.admin, '/metrics');
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const text = answer.body.toString();
  for (const series of ['turnpike_build_info{version="', 'turnpike_used{name="allocations"} 0',
    'turnpike_dropped_total{reason="malformed"} 0', 'turnpike_reloads_total{result="ok"} 0',
    'turnpike_allocations{transport="udp",family="ipv4"} 0', 'turnpike_requests_total{method="allocate",code="401"} 0',
    'process_resident_memory_bytes ', 'turnpike_signaling_members '])
    assert.ok(text.includes(series), series);
  const names = text.split('\n').filter(line => line && !line.startsWith('#')).map(line => line.replace(/ \S+$/, ''));
  assert.equal(new Set(names).size, names.length, 'no series twice');
});

// Joins by Socket.IO, and records when the member is told that the server ends.
async function joinBySocketIo(server, room, t) {
  const socket = io(server.url, { forceNew: true, transports: ['websocket'], reconnection: false });
  t.after(() => socket.close());
  const goingAway = new Promise(resolve => { socket.on('going_away', (...told) => resolve(told)); });
  await within(10_000, 'a room', socket.emitWithAck('join_room', room));
  return { goingAway: within(30_000, 'going_away', goingAway) };
}

test('readiness ends with a drain, and signaling tells the members', async t => {
  const server = await startAdmin({ top: ['auth: {users: {alice: secret}}'] });
  t.after(server.stop);
  const ann = await member(server.ws, 'blue', 'ann');
  const bob = await joinBySocketIo(server, 'green', t);
  await holdAllocations(server, t);
  const asked = Date.now();
  assert.equal((await server.ask('/v1/drain', { method: 'POST', body: '{"deadline_s":60,"until":0}' })).status, 202);
  const { deadline } = await ann.hear('going-away');
  assert.ok(new Date(deadline) >= asked + 59_000 && new Date(deadline) <= Date.now() + 61_000, deadline);
  assert.deepEqual(await bob.goingAway, [{ deadline }]);
  // A member that joins now is told at once.
  const carl = await connect(server.ws);
  const [, told] = await carl.request({ type: 'join', room: 'red', name: 'carl' });
  assert.deepEqual(told, { type: 'going-away', deadline });
  const dora = await joinBySocketIo(server, 'yellow', t);
  assert.deepEqual(await dora.goingAway, [{ deadline }]);
  assert.equal((await server.ask('/readyz')).status, 503);
  assert.equal((await server.ask('/healthz')).status, 200);
  assert.equal(JSON.parse((await server.ask('/v1/status')).body).draining, true);
  const ended = ann.ended;
  for (const { id } of JSON.parse((await server.ask('/v1/allocations')).body).allocations)
    assert.equal((await server.ask(`/v1/allocations/${id}`, { method: 'DELETE' })).status, 200);
  await within(10_000, 'the end of the drain', ended);
});

test('control requires access to the socket, or a token of the admin interface', async t => {
  const closed = await startAdmin();
  t.after(closed.stop);
  assert.equal((await request(closed.admin, '/v1/status')).status, 403);
  assert.equal((await closed.ask('/v1/status')).status, 200);

  const server = await startAdmin({ more: [`token_secrets: [${adminSecret}]`],
    signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const by = (claims, options) => request(server.admin, '/v1/status',
    { headers: { authorization: `Bearer ${token({ exp: inSeconds(60), ...claims }, options)}` } });
  assert.equal((await request(server.admin, '/v1/status')).status, 401);
  assert.equal((await by({ aud: 'turnpike-admin' }, { key: adminSecret })).status, 200);
  assert.equal((await by({ aud: ['x', 'turnpike-admin'] }, { key: adminSecret })).status, 200);
  assert.equal((await by({}, { key: adminSecret })).status, 401, 'no audience');
  assert.equal((await by({ aud: 'other' }, { key: adminSecret })).status, 401);
  assert.equal((await by({ aud: 'turnpike-admin' }, { key: secret })).status, 401, 'a secret of signaling');
  assert.equal((await by({ aud: 'turnpike-admin', exp: inSeconds(-120) }, { key: adminSecret })).status, 401);
  assert.equal(await server.stop(), 0);
  assert.match(server.log(), /admin refused token from 127\.0\.0\.1 \(admin\.token_secrets\)/);
});

test('invalid input gets a clear error on each interface and does no harm', async t => {
  const server = await startAdmin();
  t.after(server.stop);
  for (const [path, method, body, status] of [
    ['/v1/nothing', 'GET', undefined, 404], ['/v1/drain', 'GET', undefined, 405],
    ['/v1/drain', 'POST', 'x', 400], ['/v1/drain', 'POST', '[]', 400], ['/v1/drain', 'POST', '{"deadline_s":-1}', 400],
    ['/v1/drain', 'POST', '{"deadline_s":1e9}', 400], ['/v1/drain', 'POST', '{"dead":1}', 400],
    ['/v1/drain', 'POST', '{"until":"5"}', 400], ['/v1/drain', 'POST', `{"until":${'['.repeat(1000)}`, 400],
    ['/v1/reload', 'POST', '{"dry_run":1}', 400], ['/v1/loglevel', 'POST', '{"level":"loud"}', 400],
    ['/v1/loglevel', 'POST', '{}', 400], ['/v1/allocations?address=x', 'GET', undefined, 400],
    ['/v1/allocations/1', 'DELETE', undefined, 404], ['/v1/allocations/%00-1', 'DELETE', undefined, 400],
    ['/v1/allocations/0-1/x', 'DELETE', undefined, 404], ['/v1/allocations?adress=192.0.2.1', 'GET', undefined, 400],
    [`/v1/users?after=${'a'.repeat(509)}`, 'GET', undefined, 400], ['/v1/users?name=ann&all=1', 'DELETE', undefined, 400],
    [`/v1/drain`, 'POST', `{"until":1${' '.repeat(5000)}}`, 400],
  ])
    assert.equal((await server.ask(path, { method, body })).status, status, `${method} ${path} ${body}`.slice(0, 80));
  const port = Number(new URL(server.admin).port);
  const rebound = await exchange(port, 'GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  assert.match(rebound, /^HTTP\/1\.1 403 /, 'a page that has its own name resolve to this machine');
  assert.match(rebound, /admin\.hosts/);
  assert.doesNotMatch(rebound, /signaling/, 'it names a key that has no effect here');
  assert.equal((await server.ask('/readyz')).status, 200);
  assert.equal((await server.ask('/v1/loglevel', { method: 'POST', body: '{"level":"debug"}' })).status, 200);
});

test('browsers may ask by the names of the admin listener and by those of signaling', async t => {
  const server = await startAdmin({ more: ['hosts: [status.example.org]'], signaling: ['hosts: ["*.calls.example"]'] });
  t.after(server.stop);
  const by = host => request(server.admin, '/', { headers: { host } });
  for (const host of ['localhost', 'status.example.org', 'a.calls.example']) assert.equal((await by(host)).status, 200, host);
  const refused = await by('evil.example');
  assert.equal(refused.status, 403);
  const [key] = refused.body.toString().match(/\w+\.\w+(?= lists)/);
  const file = readFileSync(server.file, 'utf8');
  writeFileSync(server.file, file.replace('hosts: [status.example.org]', `${key.replace('admin.', '')}: [evil.example]`));
  assert.equal((await server.ask('/v1/reload', { method: 'POST' })).status, 200, 'the key that it names is one');
  assert.equal((await by('evil.example')).status, 200);
  assert.equal((await by('status.example.org')).status, 403);
});

test('unknown paths under /v1/ get an error in JSON, if the client is authorized', async t => {
  const server = await startAdmin();
  t.after(server.stop);
  for (const [method, path, status, code, allow] of [
    ['GET', '/v1/nothing', 404, 'no-such-path'], ['POST', '/v1/nothing', 404, 'no-such-path'], ['GET', '/v1/', 404, 'no-such-path'],
    ['DELETE', '/v1/users/ann', 404, 'no-such-path'], ['DELETE', '/v1/allocations/', 404, 'no-such-allocation'],
    ['DELETE', '/v1/allocations/a%2Fb', 404, 'no-such-allocation'], ['GET', '/v1/allocations/0-1', 405, 'method-not-allowed', 'DELETE'],
    ['GET', '/v1/drain', 405, 'method-not-allowed', 'POST'], ['PATCH', '/v1/users', 405, 'method-not-allowed', 'GET, HEAD, POST, PUT, DELETE'],
  ]) {
    const answer = await server.ask(path, { method });
    assert.equal(answer.status, status, `${method} ${path}`);
    assert.equal(JSON.parse(answer.body).error.code, code, `${method} ${path}`);
    assert.equal(answer.headers.allow, allow, `${method} ${path}`);
    const stranger = await request(server.admin, path, { method });
    assert.equal(stranger.status, 403, `${method} ${path}`);
    assert.equal(JSON.parse(stranger.body).error.code, 'unix-socket-only');
  }
});

test('refused requests are counted by their reason, for Prometheus and the status page', async t => {
  const server = await startAdmin({ signaling: ['access: token', `token_secrets: [${secret}]`],
    top: [`auth: {users: {alice: secret}}`, 'limits: {allocations: 1}'] });
  t.after(server.stop);
  const counted = async reason => {
    const [, value] = (await request(server.admin, '/metrics')).body.toString().match(new RegExp(`^turnpike_refused_total\\{reason="${reason}"\\} (\\d+)$`, 'm'));
    assert.equal(JSON.parse((await request(server.admin, '/status.json')).body).refused[reason], Number(value));
    return Number(value);
  };
  for (const reason of ['allocations', 'allocations_per_user', 'allocations_per_address', 'permissions_per_allocation', 'channels_per_allocation',
    'peer_connections', 'peer_connections_per_user', 'peer_denied', 'relay_ports', 'signaling_handshakes', 'signaling_origin', 'signaling_room_full', 'admin_host'])
    assert.equal(await counted(reason), 0, reason);
  for (let i = 0; i < 2; ++i) assert.equal((await request(server.url, '/ice-servers')).status, 401);
  assert.equal((await request(server.url, '/ice-servers', { headers: { authorization: 'Bearer x' } })).status, 401);
  assert.equal(await counted('signaling_token_required'), 2);
  assert.equal(await counted('signaling_token_invalid'), 1);
  await exchange(Number(new URL(server.admin).port), 'GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  assert.equal(await counted('admin_host'), 1);
  await holdAllocations(server, t);
  const port = new URL(server.listeners[0].replace('udp', 'http')).port;
  assert.notEqual(spawnSync(stunclient, ['--turn', '--user', 'alice', '--password', 'secret', '127.0.0.1', port]).status, 0);
  assert.ok(await counted('allocations') > 0); // a client that waits for its answer asks again
});

test('the metrics show the connections of signaling beside their limit', async t => {
  const server = await startAdmin({ signaling: ['connections: 77'] });
  t.after(server.stop);
  const lines = await Promise.all([1, 2].map(() => connect(server.ws)));
  const named = name => `${name}{name="signaling_connections"}`;
  const text = (await request(server.admin, '/metrics')).body.toString();
  assert.ok(text.includes(`${named('turnpike_limit')} 77\n`));
  assert.ok(text.includes(`${named('turnpike_used')} 2\n`), text.match(/^turnpike_used.*$/gm).join('\n'));
  assert.ok(!text.includes(named('turnpike_limit_of_each')));
  for (const line of lines) line.close();
});

test('every limit of the configuration is a gauge', async t => {
  const limits = Object.entries({ allocations: 11, allocations_per_user: 12, allocations_per_address: 13, permissions_per_allocation: 14,
    channels_per_allocation: 15, peer_connections: 16, peer_connections_per_user: 17, bytes_per_second: 1018, bytes_per_second_per_user: 1019,
    bytes_per_second_per_allocation: 1020, unauthenticated_per_second: 21, bindings_per_second: 22, failures_per_second: 23,
    idle_connections: 24, idle_connections_per_address: 25, web_connections_per_address: 26 });
  const signaling = Object.entries({ connections: 31, connections_per_address: 32, bytes_per_second_per_address: 33,
    credentials_per_second: 34, members_per_room: 35, rooms_per_address: 36 });
  const written = ([key, value]) => `${key}: ${value}`;
  const server = await startAdmin({ signaling: signaling.map(written), top: [`limits: {${limits.map(written).join(', ')}}`] });
  t.after(server.stop);
  const text = (await request(server.admin, '/metrics')).body.toString();
  for (const [key, value] of [...limits, ...signaling.map(([key, value]) => [`signaling_${key}`, value])])
    assert.match(text, new RegExp(`^turnpike_limit(_of_each)?\\{name="${key}"\\} ${value}$`, 'm'), key);
});

test('idle HTTP connections block neither the unix socket nor other addresses', async t => {
  const server = await startAdmin();
  t.after(server.stop);
  const port = Number(new URL(server.admin).port);
  const idle = await Promise.all(Array.from({ length: 250 }, () => new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket)).on('error', reject);
  })));
  t.after(() => idle.forEach(socket => socket.destroy()));
  // When many are refused at once, some are closed without an answer.
  const more = await request(server.admin, '/healthz').catch(() => ({ status: 429 }));
  assert.equal(more.status, 429, 'this address has enough of them');
  const elsewhere = await new Promise((resolve, reject) => {
    http.get({ port, path: '/healthz', localAddress: '127.0.0.2', headers: { host: 'localhost' } }, resolve)
      .on('error', reject);
  });
  elsewhere.resume();
  assert.equal(elsewhere.statusCode, 200);
  assert.equal((await server.ask('/v1/status')).status, 200);
});

test('a secret that signaling also has is refused', async () => {
  await assert.rejects(startServer({ signaling: ['access: token', `token_secrets: [${secret}]`],
    more: [`admin: {listen: "http://127.0.0.1:0", token_secrets: [${secret}]}`] }), /signaling\.token_secrets too/);
});

test('a socket file that a former process left is replaced, and any other file stays', async t => {
  const folder = temporaryDirectory('admin-socket');
  t.after(() => folder.remove());
  const left = join(folder.path, 'left.sock');
  spawnSync('python3', ['-c', `import socket; s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(left)})`]);
  assert.ok(existsSync(left));
  const server = await startServer({ more: [`admin: {listen: "unix:${left}"}`] });
  await new Promise((resolve, reject) => net.connect(left, resolve).on('error', reject).unref());
  await assert.rejects(startServer({ more: [`admin: {listen: "unix:${left}"}`] }), /another process listens there/);
  await server.stop();
  assert.ok(!existsSync(left), 'it is gone with the daemon');
  const file = join(folder.path, 'file');
  writeFileSync(file, 'mine');
  await assert.rejects(startServer({ more: [`admin: {listen: "unix:${file}"}`] }), /something else/);
  assert.equal(readFileSync(file, 'utf8'), 'mine');
});

test('a reload changes the token secrets', async t => {
  const server = await startAdmin({ more: [`token_secrets: [${adminSecret}]`] });
  t.after(server.stop);
  const by = key => request(server.admin, '/v1/status',
    { headers: { authorization: `Bearer ${token({ exp: inSeconds(60), aud: 'turnpike-admin' }, { key })}` } });
  assert.equal((await by(adminSecret)).status, 200);
  const other = 'another-secret-of-32-characters-';
  writeFileSync(server.file, readFileSync(server.file, 'utf8').replace(adminSecret, other));
  assert.equal((await server.ask('/v1/reload', { method: 'POST' })).status, 200);
  assert.equal((await by(adminSecret)).status, 401);
  assert.equal((await by(other)).status, 200);
});

// Writes other lines in `signaling`, and reloads; the reload needs no restart.
async function reloadSignaling(server, lines) {
  const [head, tail] = readFileSync(server.file, 'utf8').split(/(?<=\n  listen: http[^\n]*\n)(?:  [^\n]*\n)*/);
  writeFileSync(server.file, `${head}${lines.map(line => `  ${line}\n`).join('')}${tail}`);
  const answer = JSON.parse((await server.ask('/v1/reload', { method: 'POST' })).body);
  assert.deepEqual([answer.errors, answer.needs_restart], [[], []]);
  return answer.changed.map(change => change.split(':')[0]).sort();
}

const engineIo = server => request(server.url, '/socket.io/?EIO=4&transport=polling');
const handshake = async server => JSON.parse((await engineIo(server)).body.toString().slice(1));

test('a reload changes the parameters of Socket.IO for sessions that begin afterwards', async t => {
  const server = await startAdmin({ signaling: ['ping_interval: 20s', 'ping_timeout: 10s', 'max_payload: 4096'] });
  t.after(server.stop);
  const before = await handshake(server);
  assert.deepEqual([before.pingInterval, before.pingTimeout, before.maxPayload], [20_000, 10_000, 4096]);
  assert.deepEqual(await reloadSignaling(server, ['ping_interval: 400ms', 'ping_timeout: 3s', 'max_payload: 8192']),
    ['signaling.max_payload', 'signaling.ping_interval', 'signaling.ping_timeout']);
  const after = await handshake(server);
  assert.deepEqual([after.pingInterval, after.pingTimeout, after.maxPayload], [400, 3000, 8192]);
  // The newer session ends, since nobody answers its ping. The older one was told 20 s, and stays.
  const poll = async session => (await request(server.url, `/socket.io/?EIO=4&transport=polling&sid=${session.sid}`)).body.toString();
  assert.equal(await within(5_000, 'a ping', poll(after)), '2');
  await within(15_000, 'the end of the session', (async () => {
    while ((await request(server.url, `/socket.io/?EIO=4&transport=polling&sid=${after.sid}`)).status !== 400);
  })());
  const post = await request(server.url, `/socket.io/?EIO=4&transport=polling&sid=${before.sid}`, { method: 'POST', body: '40' });
  assert.equal(post.body.toString(), 'ok');
});

test('a session keeps the max_payload that its client was told when a reload lowers it', async t => {
  const server = await startAdmin({ signaling: ['preset: echo', 'max_payload: 100000'] });
  t.after(server.stop);
  const path = '/engine.io/?EIO=4&transport=';
  const open = async () => JSON.parse((await request(server.url, `${path}polling`)).body.toString().slice(1));
  const post = async (sid, body) => (await request(server.url, `${path}polling&sid=${sid}`, { method: 'POST', body })).status;
  const before = await open();
  assert.deepEqual(await reloadSignaling(server, ['preset: echo', 'max_payload: 4096']), ['signaling.max_payload']);
  const after = await open();
  assert.deepEqual([before.maxPayload, after.maxPayload], [100_000, 4096]);
  const long = `4${'x'.repeat(80_000)}`;
  assert.deepEqual([await post(before.sid, long), await post(after.sid, long)], [200, 413]);
  assert.equal(await post(before.sid, 'x'.repeat(100_001)), 413);
  assert.ok((await request(server.url, `${path}polling&sid=${before.sid}`)).body.toString() === long);

  const upgrade = async ({ sid }) => {
    const wire = await connect(`${server.url.replace('http', 'ws')}${path}websocket&sid=${sid}`);
    wire.say('2probe');
    assert.equal(await wire.hearText(), '3probe');
    wire.say('5');
    wire.say(long);
    return wire;
  };
  const wire = await upgrade(before);
  assert.ok(await wire.hearText() === long);
  wire.close();
  assert.equal((await within(5_000, 'the end of the other', (await upgrade(after)).ended)).code, 1009);
});

test('a reload changes the preset: former services end, and new ones are served', async t => {
  const server = await startAdmin();
  t.after(server.stop);
  const socket = io(server.url, { transports: ['websocket'], reconnectionDelay: 50, reconnectionDelayMax: 100 });
  t.after(() => socket.close());
  const heard = name => within(5_000, name, new Promise(resolve => { socket.once(name, resolve); }));
  await heard('connect');
  const chat = await connect(`${server.url.replace('http', 'ws')}/`);
  const disconnected = heard('disconnect');

  assert.deepEqual(await reloadSignaling(server, ['preset: none']), ['signaling.preset']);
  await disconnected;
  assert.equal((await within(5_000, 'the end of the chat', chat.ended)).code, 1001);
  assert.equal((await engineIo(server)).status, 404);
  assert.equal((await request(server.url, '/')).status, 200);

  const connected = heard('connect');
  await reloadSignaling(server, ['preset: echo']);
  await connected;
  socket.emit('message', 'again');
  assert.equal(await heard('message-back'), 'again');
});

test('a reload changes whether rooms are listed, and a list that has become due is sent', async t => {
  const server = await startAdmin();
  t.after(server.stop);
  const socket = io(server.url, { transports: ['websocket'] });
  t.after(() => socket.close());
  const heard = name => within(5_000, name, new Promise(resolve => { socket.once(name, resolve); }));
  await heard('connect');
  const joined = new Promise(resolve => { socket.emit('join_room', 'kitchen', resolve); });
  await within(5_000, 'an acknowledgement', joined);
  const list = heard('room_change');
  await reloadSignaling(server, ['list_rooms: true']);
  assert.deepEqual(await list, ['kitchen']);
});

test('a reload changes whom signaling admits, and how much of everything', async t => {
  const folder = temporaryDirectory('pages');
  t.after(() => folder.remove());
  writeFileSync(join(folder.path, 'index.html'), 'our own page');
  const server = await startAdmin({ signaling: ['access: open'] });
  t.after(server.stop);
  const ask = (headers, path = '/ice-servers') => request(server.url, path, { headers });
  const poll = '/socket.io/?EIO=4&transport=polling';
  const origin = 'https://app.example';
  assert.equal((await ask({ origin })).status, 403);
  assert.equal((await ask({ host: 'call.example' })).status, 403);
  await assert.rejects(connect(server.ws, { origin }), error => error.status === 403);
  const members = [await member(server.ws, 'blue', 'Ann'), await member(server.ws, 'blue', 'Bob')];

  assert.deepEqual(await reloadSignaling(server, ['access: open', 'cors: ["https://app.example"]', 'hosts: [call.example]',
    'trusted_proxies: [127.0.0.1]', 'public_host: turn.example.org', `root: ${folder.path}`, 'members_per_room: 2',
    'connections_per_address: 2', 'credentials_per_second: 1', 'bytes_per_second_per_address: 2500']),
  ['bytes_per_second_per_address', 'connections_per_address', 'cors', 'credentials_per_second', 'hosts', 'members_per_room',
    'public_host', 'root', 'trusted_proxies'].map(key => `signaling.${key}`));
  assert.equal((await ask({ origin })).headers['access-control-allow-origin'], origin);
  assert.equal((await ask({ origin }, poll)).headers['access-control-allow-origin'], origin);
  (await connect(server.ws, { origin })).close();
  assert.equal((await ask({ host: 'call.example' }, '/')).body.toString(), 'our own page');
  const relayOf = async address => JSON.parse((await ask({ 'x-forwarded-for': address })).body).iceServers.at(-1);
  const [here, there] = [await relayOf('198.51.100.1'), await relayOf('198.51.100.2')];
  assert.match(here.urls[0], /^turn:turn\.example\.org:/);
  assert.notEqual(here.username.split(':')[1], there.username.split(':')[1], 'the proxy is believed');
  await assert.rejects(member(server.ws, 'blue', 'Cleo'), error => error.code === 'room-full');
  const as = address => ({ headers: { 'x-forwarded-for': address } });
  const open = [await connect(server.ws, as('198.51.100.3')), await connect(server.ws, as('198.51.100.3'))];
  await assert.rejects(connect(server.ws, as('198.51.100.3')), error => error.status === 429);
  const minted = [];
  while (minted.at(-1) !== 429 && minted.length < 100) minted.push((await ask({ 'x-forwarded-for': '198.51.100.4' })).status);
  assert.equal(minted.at(-1), 429, 'a hundred were no more than before');
  const { sid } = JSON.parse((await ask({ 'x-forwarded-for': '198.51.100.5' }, poll)).body.toString().slice(1));
  const post = body => request(server.url, `${poll}&sid=${sid}`, { method: 'POST', body, headers: { 'x-forwarded-for': '198.51.100.5' } });
  assert.equal((await post('40')).status, 200);
  assert.equal((await post(`42["x","${'y'.repeat(60_000)}"]`)).status, 200);
  assert.equal((await post('42["x","y"]')).status, 429);
  for (const client of [...members, ...open]) client.close();
});

test('a reload changes how long a client may stay without joining a room', async t => {
  const server = await startAdmin();
  t.after(server.stop);
  await reloadSignaling(server, ['connect_timeout: 300ms']);
  const idle = await connect(server.ws);
  await within(5_000, 'the end', idle.ended);
});

test('a reload that makes tokens necessary also applies to connected clients', async t => {
  const server = await startAdmin({ signaling: ['access: open'] });
  t.after(server.stop);
  const ann = await connect(server.ws);
  await ann.request({ type: 'join', room: 'blue', name: 'Ann' });
  const chat = await connect(`${server.url.replace('http', 'ws')}/`);
  assert.deepEqual(await reloadSignaling(server, ['access: token', `token_secrets: [${secret}]`]),
    ['signaling.access', 'signaling.token_secrets']);
  assert.deepEqual(await within(5_000, 'the end of the chat', chat.ended), { code: 1001, reason: 'token-required' });
  await assert.rejects(ann.request({ type: 'ice-servers' }), error => error.code === 'token-required');
  const [fresh] = await ann.request({ type: 'token', token: token({ exp: inSeconds(60) }) });
  assert.equal(fresh.type, 'ice-servers');
  ann.close();
});
