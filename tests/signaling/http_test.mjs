// Tests the HTTP side of the real daemon: the page, credentials that the relay accepts, folders, proxies,
// origins, and clients that are slow, too many or broken.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { connect, member } from './support/client.mjs';
import { exchange, request } from './support/http.mjs';
import { inSeconds, secret, startServer, token } from './support/server.mjs';

const stunclient = process.env.STUNCLIENT ?? fileURLToPath(new URL('../../build/release/stunclient', import.meta.url));

// Allocates, permits and relays a datagram; throws when a step fails.
function relayWith(uri, username, password) {
  execFileSync(stunclient, ['--turn', '--user', username, uri],
    { env: { ...process.env, STUNCLIENT_PASSWORD: password }, stdio: 'pipe', timeout: 10_000 });
}

test('the call page', async t => {
  const server = await startServer();
  t.after(server.stop);
  const page = await request(server.url, '/');
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'], /^text\/html/);
  assert.match(page.headers['content-security-policy'], /default-src 'self'/);
  assert.doesNotMatch(page.headers['content-security-policy'], /unsafe/);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');

  const packed = await request(server.url, '/', { headers: { 'accept-encoding': 'gzip, br' } });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.deepEqual(gunzipSync(packed.body), page.body);
  for (const known of [page, packed]) {
    const headers = { 'if-none-match': known.headers.etag, 'accept-encoding': known === packed ? 'gzip' : 'identity' };
    const again = await request(server.url, '/', { headers });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
  }
  const head = await request(server.url, '/', { method: 'HEAD' });
  assert.equal(Number(head.headers['content-length']), page.body.length);
  assert.equal((await request(server.url, '/index.html')).status, 200);
  assert.equal((await request(server.url, '/nothing')).status, 404);
  assert.equal((await request(server.url, '/../../etc/passwd')).status, 404);
  assert.equal((await request(server.url, '/admin-status/index.html')).status, 404, 'the page of the admin listener');
  assert.equal(page.headers.vary, 'Accept-Encoding');
  assert.equal(page.headers['cross-origin-opener-policy'], undefined, 'browsers complain of it without https');
  const post = await request(server.url, '/', { method: 'POST' });
  assert.equal(post.status, 405);
  assert.equal(post.headers.allow, 'GET, HEAD');
});

test('every answer has a Date header, and none names the library that made it', async t => {
  const server = await startServer();
  t.after(server.stop);
  const narrow = await startServer({ signaling: ['connections_per_address: 1'] });
  t.after(narrow.stop);
  const upgrade = (version, key) => `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const goodbye = '\x88\x80\x00\x00\x00\x00'; // a Close frame
  const get = path => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
  const heads = [
    [200, get('/')], [200, get('/ice-servers')], [404, get('/nothing')], [400, 'nonsense\r\n\r\n'],
    [101, upgrade(13, key) + goodbye], [426, upgrade(12, key)],
    [400, upgrade(13, 'x')], [400, upgrade(13, '')], [400, upgrade(13, 'dGhlIHNhbXBsZSBub25jZQ')],
    [400, upgrade(13, 'dGhlIHNhbXBsZSBub25jZQAA')], [400, upgrade(13, 'dGhlIHNhbXBsZSBub25jZQ=\u003d=')],
  ];
  const told = async (status, bytes, { port } = server) => {
    const closing = bytes.replace('Connection: Upgrade\r\n', 'Connection: Upgrade, close\r\n');
    const [head] = (await exchange(port, Buffer.from(closing, 'latin1'))).split('\r\n\r\n');
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `), bytes);
    const date = Date.parse(/\r\nDate: (\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)(\r\n|$)/.exec(head)?.[1]);
    assert.ok(Math.abs(date - Date.now()) < 60_000, head);
    assert.doesNotMatch(head, /Beast/i);
    if (status === 426) assert.match(head, /\r\nSec-WebSocket-Version: 13(\r\n|$)/);
  };
  for (const [status, bytes] of heads) await told(status, bytes);
  const held = await connect(narrow.ws);
  await told(429, '', narrow);
  held.close();
});

test('/ice-servers and /turn return credentials that the relay accepts', async t => {
  const server = await startServer({ signaling: ['cors: ["https://app.example"]', 'credential_lifetime: 2h'] });
  t.after(server.stop);
  const turn = server.listeners[0].replace('udp://', 'turn:') + '?transport=udp';

  await t.test('as RTCPeerConnection needs them', async () => {
    const asked = Date.now();
    const { headers, body } = await request(server.url, '/ice-servers');
    assert.equal(headers['cache-control'], 'no-store');
    const configuration = JSON.parse(body);
    assert.equal(configuration.iceTransportPolicy, 'all');
    assert.equal(configuration.ttl, 7200);
    const expires = Date.parse(configuration.expiresAt);
    assert.ok(expires >= asked + 7_199_000 && expires <= Date.now() + 7_201_000, configuration.expiresAt);
    const [stun, relay] = configuration.iceServers;
    assert.deepEqual(stun, { urls: [turn.replace('turn:', 'stun:').replace('?transport=udp', '')] });
    assert.deepEqual(relay.urls, [turn]);
    relayWith(relay.urls[0], relay.username, relay.credential);
    assert.throws(() => relayWith(relay.urls[0], relay.username, `x${relay.credential}`));
  });

  await t.test('as the TURN REST draft defines them', async () => {
    const { username, password, ttl, uris } = JSON.parse((await request(server.url, '/turn?service=turn')).body);
    assert.equal(ttl, 7200);
    relayWith(uris[0], username, password);
    assert.equal((await request(server.url, '/turn')).status, 400);
    assert.equal((await request(server.url, '/turn?service=stun')).status, 400);
  });

  await t.test('by messages to members of a room', async () => {
    const ann = await member(server.ws, 'blue', 'Ann');
    const [first] = await ann.request({ type: 'ice-servers' });
    for (const { iceServers } of [ann.joined, first]) {
      const { urls, username, credential } = iceServers.at(-1);
      relayWith(urls[0], username, credential);
      assert.doesNotMatch(username, /blue/, 'who sees a user name does not learn the room');
    }
    ann.close();
  });

  await t.test('only for pages of allowed origins', async () => {
    const from = origin => request(server.url, '/ice-servers', { headers: { origin } });
    const allowed = await from('https://app.example');
    assert.equal(allowed.headers['access-control-allow-origin'], 'https://app.example');
    assert.equal(allowed.headers['access-control-allow-credentials'], 'true');
    assert.equal((await from(server.url)).status, 200);
    assert.equal((await from('https://evil.example')).status, 403);
    assert.equal((await from('https://app.example.evil')).status, 403);
    assert.equal((await from('null')).status, 403);
    const preflight = await request(server.url, '/ice-servers', { method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'GET' } });
    assert.equal(preflight.status, 204);
    assert.match(preflight.headers['access-control-allow-headers'], /Authorization/);
    const tunnel = await request(server.url, '/socket.io/?EIO=4&transport=polling', { method: 'OPTIONS', headers: {
      origin: 'https://app.example', 'access-control-request-method': 'GET', 'access-control-request-headers': 'bypass-tunnel-reminder' } });
    assert.equal(tunnel.headers['access-control-allow-headers'], 'bypass-tunnel-reminder');
    assert.equal(tunnel.headers.vary, 'Origin, Access-Control-Request-Headers');
    (await connect(server.ws, { origin: 'https://app.example' })).close();
    (await connect(server.ws, { origin: server.url.replace('http', 'ws') })).close(); // as Starscream does
  });

  await t.test('a page of an allowed origin may read the error', async () => {
    const refused = async (status, path, options = {}) => {
      for (const origin of ['https://app.example', 'https://evil.example']) {
        const answer = await request(server.url, path, { ...options, headers: { ...options.headers, origin } });
        const allowed = origin === 'https://app.example';
        if (allowed) assert.equal(answer.status, status, path);
        assert.equal(answer.headers['access-control-allow-origin'], allowed ? origin : undefined, path);
        assert.equal(answer.headers.vary, 'Origin', path);
      }
    };
    await refused(400, '/turn');
    await refused(405, '/ice-servers', { method: 'PUT' });
    await refused(404, '/socket.io/nothing.js');
    await refused(405, '/socket.io/socket.io.js', { method: 'POST' });
    await refused(400, '/socket.io/?EIO=3&transport=polling');
    await refused(413, '/socket.io/?EIO=4&transport=polling&sid=x', { method: 'POST', body: 'x'.repeat(70_000) });
    await refused(404, '/nothing');
  });
});

test('credentials for a token', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const by = value => request(server.url, '/ice-servers', { headers: value ? { authorization: value } : {} });
  const refused = async (value, code) => {
    const { status, headers, body } = await by(value);
    assert.equal(status, 401);
    assert.equal(headers['www-authenticate'], 'Bearer');
    assert.equal(JSON.parse(body).code, code);
  };
  await refused(undefined, 'token-required');
  await refused('Bearer nonsense', 'token-invalid');
  await refused(`Bearer ${token({ exp: inSeconds(-65) })}`, 'token-expired');
  await refused(`Bearer ${token({ exp: inSeconds(600), nbf: inSeconds(90) })}`, 'token-not-yet-valid');
  assert.equal((await by(`Bearer ${token({ exp: inSeconds(-30), nbf: inSeconds(30) })}`)).status, 200);
  assert.equal((await by(`bearer   ${token({ exp: inSeconds(60) })}`)).status, 200);
  assert.equal((await by(`Bearer ${token({ exp: inSeconds(60) })}`)).status, 200);
  assert.equal((await request(server.url, `/ice-servers?token=${token({ exp: inSeconds(60) })}`)).status, 401);
});

test('one address gets only a limited number of credentials', async t => {
  const server = await startServer({ signaling: ['access: open', 'credentials_per_second: 1', 'trusted_proxies: [127.0.0.1]'] });
  t.after(server.stop);
  const by = address => request(server.url, '/ice-servers', { headers: { 'x-forwarded-for': address } });
  // Twenty at once and one a second. How many there were, and what the next one heard.
  const takeAll = async address => {
    for (let taken = 0; taken < 1000; ++taken) {
      const answer = await by(address);
      if (answer.status !== 200) return { taken, answer };
    }
    return assert.fail('there is no limit');
  };
  const begun = performance.now();
  const { taken, answer: refused } = await takeAll('198.51.100.1');
  assert.ok(taken >= 20, String(taken));
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  assert.equal((await by('198.51.100.2')).status, 200);
  assert.equal((await by('198.51.100.1, 198.51.100.3')).status, 200, 'the nearest that is no proxy counts');
  const { taken: more, answer } = await takeAll('198.51.100.3, 198.51.100.1, 127.0.0.1');
  assert.equal(answer.status, 429);
  assert.ok(taken + more <= 20 + Math.ceil((performance.now() - begun) / 1000), `${taken} and ${more}`);
});

test('the host in the URLs that clients get', async t => {
  const { certificate, privateKey } = makeCertificate('turn.example.net');
  const tls = [`tls: {certificate: ${certificate}, private_key: ${privateKey}}`];
  const hostOf = async (signaling, headers, more, listen) => {
    const hosts = ['access: open', 'hosts: [other.example, tunnel.example, "*.internal"]'];
    const server = await startServer({ signaling: [...hosts, ...signaling], more, listen });
    const { body } = await request(server.url, '/ice-servers', { headers });
    await server.stop();
    return JSON.parse(body).iceServers[0].urls[0].split(':')[1];
  };
  const wildcard = 'udp://0.0.0.0:0';
  assert.equal(await hostOf(['public_host: turn.example.org'], { host: 'other.example' }, tls), 'turn.example.org');
  assert.equal(await hostOf([], { host: 'other.example' }, tls), 'turn.example.net');
  assert.equal(await hostOf([], { host: 'other.example' }, [], wildcard), 'other.example');
  assert.equal(await hostOf([], { host: 'other.example:8080' }), '127.0.0.1', 'where only that address listens');
  for (const by of [{ 'x-forwarded-for': '198.51.100.1' }, { forwarded: 'for=198.51.100.1' }, { via: '1.1 tunnel' }])
    assert.notEqual(await hostOf([], { host: 'tunnel.example', ...by }, [], wildcard), 'tunnel.example', 'a tunnel does not carry UDP');
  assert.notEqual(await hostOf([], { host: 'a_b.internal' }, [], wildcard), 'a_b.internal', 'no URL takes this');
});

test('a certificate of another name that comes by its files is the one that clients are told', async t => {
  const [now, next] = [makeCertificate('old.example.net'), makeCertificate('new.example.net')];
  const server = await startServer({ signaling: ['access: open', 'credentials_per_second: 0'],
    more: [`tls: {certificate: ${now.certificate}, private_key: ${now.privateKey}}`] });
  t.after(server.stop);
  const hosts = async () => {
    const [ice, rest] = await Promise.all(['/ice-servers', '/turn?service=turn'].map(path => request(server.url, path)));
    return [...JSON.parse(ice.body).iceServers[0].urls, ...JSON.parse(rest.body).uris].map(url => url.split(':')[1]);
  };
  assert.deepEqual(await hosts(), ['old.example.net', 'old.example.net']);
  copyFileSync(next.privateKey, now.privateKey);
  copyFileSync(next.certificate, now.certificate);
  await within(20_000, 'the new name', (async () => { while ((await hosts()).some(host => host !== 'new.example.net')) await sleep(100); })());
});

test('https with the operator\'s own certificate', async t => {
  const { certificate, privateKey } = makeCertificate('localhost');
  const server = await startServer({ scheme: 'https', more: [`tls: {certificate: ${certificate}, private_key: ${privateKey}}`] });
  t.after(server.stop);
  const page = await request(server.url, '/');
  assert.equal(page.status, 200);
  assert.equal(page.headers['cross-origin-opener-policy'], 'same-origin');
  const ann = await member(server.ws, 'blue', 'Ann', { rejectUnauthorized: false });
  const bob = await member(server.ws, 'blue', 'Bob', { rejectUnauthorized: false });
  await ann.hear('peer-joined');
  await bob.request({ type: 'signal', to: ann.id, data: 'x'.repeat(60_000) });
  assert.equal((await ann.hear('signal')).data.length, 60_000);
  for (const version of ['TLSv1', 'TLSv1.1'])
    await assert.rejects(request(server.url, '/', { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }));
  assert.equal((await request(server.url, '/', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).status, 200);
  assert.equal(await exchange(server.port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), '', 'plain text gets nothing');
  assert.equal(await server.stop(), 0);
});

// This is RFC 8446 §6.1. OpenSSL's own client reports a connection that just ends.
test('https and wss end with a close_notify', async t => {
  const { certificate, privateKey } = makeCertificate('localhost');
  const server = await startServer({ scheme: 'https', more: [`tls: {certificate: ${certificate}, private_key: ${privateKey}}`] });
  t.after(server.stop);
  const upgrade = 'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x88\x80\0\0\0\0';
  for (const [sent, status] of [['GET / HTTP/1.0\r\n\r\n', 200], ['nonsense\r\n\r\n', 400], [upgrade, 101]]) {
    for (const version of ['-tls1_2', '-tls1_3']) {
      const client = spawn('openssl', ['s_client', '-quiet', '-verify_quiet', version, '-connect', `127.0.0.1:${server.port}`]);
      let [heard, complaints] = ['', ''];
      client.stdout.on('data', data => { heard += data; });
      client.stderr.on('data', data => { complaints += data; });
      client.stdin.write(sent, 'latin1');
      await within(10_000, 'the end', new Promise(resolve => client.on('close', resolve)));
      assert.match(heard, new RegExp(`^HTTP/1\\.[01] ${status} `), complaints);
      assert.doesNotMatch(complaints, /unexpected eof/, `${status} ${version}`);
    }
  }
});

test('what was requested is answered before the server ends', async t => {
  const root = temporaryDirectory('end');
  t.after(root.remove);
  writeFileSync(join(root.path, 'big.bin'), Buffer.alloc(24 << 20, 7));
  const server = await startServer({ signaling: [`root: ${root.path}`] });
  t.after(server.stop);
  const poll = '/socket.io/?EIO=4&transport=polling';
  const { sid } = JSON.parse((await request(server.url, poll)).body.toString().slice(1));
  const download = net.connect(server.port, '127.0.0.1');
  let size = 0;
  const begun = new Promise(resolve => download.once('data', resolve));
  download.write('GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
  download.on('data', data => { size += data.length; });
  await within(5000, 'the download to begin', begun);
  download.pause();
  const ended = new Promise((resolve, reject) => download.on('close', resolve).on('error', reject));
  const held = request(server.url, `${poll}&sid=${sid}`);
  for (let i = 0; i < 2; ++i) await request(server.url, '/nothing'); // meanwhile the server has got that one
  const stopped = server.stop();
  const { status, body } = await held;
  assert.equal(status, 200);
  assert.match(body.toString(), /(^|\x1e)1$/, 'the session is over');
  download.resume();
  await within(30_000, 'the rest of the download', ended);
  assert.ok(size > 24 << 20, String(size));
  assert.equal(await stopped, 0);
});

test('the pages come from the operator\'s own folder', async t => {
  const root = temporaryDirectory('root');
  t.after(root.remove);
  const file = (name, content) => writeFileSync(join(root.path, name), content);
  file('index.html', '<script>inline()</script>');
  file('big.bin', Buffer.alloc(3 << 20, 7));
  file('.secret', 'x');
  mkdirSync(join(root.path, 'sub'));
  file('sub/index.html', 'sub');
  file('sub/ü b.js', 'script');
  symlinkSync('/etc/passwd', join(root.path, 'outside'));
  symlinkSync('big.bin', join(root.path, 'inside'));
  const server = await startServer({ signaling: [`root: ${root.path}`] });
  t.after(server.stop);
  const get = (path, options) => request(server.url, path, options);

  const index = await get('/');
  assert.equal(index.body.toString(), '<script>inline()</script>');
  assert.equal(index.headers['content-security-policy'], undefined, 'their page, their policy');
  assert.equal((await get('/', { headers: { 'if-none-match': index.headers.etag } })).status, 304);
  assert.equal((await get('/big.bin')).body.length, 3 << 20);
  assert.equal((await get('/big.bin', { method: 'HEAD' })).headers['content-length'], String(3 << 20));
  assert.equal((await get('/inside')).body.length, 3 << 20);
  assert.equal((await get('/sub')).headers.location, '/sub/');
  assert.equal((await get('/sub/')).body.toString(), 'sub');
  const script = await get('/sub/%C3%BC%20b.js');
  assert.match(script.headers['content-type'], /javascript/);
  for (const path of ['/outside', '/../../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/sub/../../x', '/.secret', '//etc/passwd',
    '/sub/%00', '/nothing']) assert.notEqual((await get(path)).status, 200, path);
  const ice = await get('/ice-servers');
  assert.equal(ice.status, 200);
});

test('invalid HTTP requests', async t => {
  const server = await startServer();
  t.after(server.stop);
  const ann = await member(server.ws, 'unharmed', 'Ann');
  const bob = await member(server.ws, 'unharmed', 'Bob');
  await ann.hear('peer-joined');
  const answer = async (bytes, status) => {
    const text = await exchange(server.port, bytes);
    assert.match(text, new RegExp(`^HTTP/1.1 ${status} `), JSON.stringify(bytes.slice(0, 60)));
  };
  await Promise.all([
    answer('GET / HTTP/1.1\r\nHost: localhost\r\nX: ', 408), // and then nothing
    answer('POST /ice-servers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n', 413),
    answer(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, 431),
    answer('nonsense\r\n\r\n', 400),
    answer('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400),
    answer('GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n', 400),
    answer('GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n', 400),
    answer('GET nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400),
    answer('GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400),
    answer('GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n', '(400|426)'),
  ]);
  const pipelined = await exchange(server.port,
    'GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ice-servers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  assert.match(pipelined, /404 Not Found[^]*HTTP\/1.1 200 OK[^]*iceServers/);
  await bob.request({ type: 'signal', to: ann.id, data: 'all is well' });
  assert.equal((await ann.hear('signal')).data, 'all is well');
});

test('five hundred connections from one address', async t => {
  const server = await startServer({ signaling: ['connections_per_address: 100'] });
  t.after(server.stop);
  const sockets = [];
  let refusals = 0;
  let ends = 0;
  await within(10_000, 'what is over the limit to be refused', new Promise(resolve => {
    for (let i = 0; i < 500; ++i) {
      const socket = net.connect(server.port, '127.0.0.1');
      socket.on('data', data => { refusals += data.includes('429 Too Many Requests') ? 1 : 0; });
      socket.on('error', () => {});
      socket.on('close', () => { if (++ends === 400) resolve(); });
      sockets.push(socket);
    }
  }));
  assert.ok(refusals > 0, 'they are told so');
  for (const socket of sockets) socket.destroy();
  const status = async () => (await request(server.url, '/ice-servers', { agent: false }).catch(() => ({}))).status;
  await within(20_000, 'their places to be free again', (async () => { while (await status() !== 200); })());
});
