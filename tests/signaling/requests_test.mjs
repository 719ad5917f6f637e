// Tests HTTP as clients use it: targets, Hosts, expectations and lists in every form that the standards
// allow, and the files of a folder as browsers and phones ask for them.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { exchange, request } from './support/http.mjs';
import { inSeconds, secret, startServer as start, token } from './support/server.mjs';

// Starts a server that accepts every host name of these requests.
const startServer = ({ signaling = [], ...more } = {}) =>
  start({ signaling: ['hosts: [x, turn.example.org, "*.internal"]', ...signaling], ...more });

const last = 'Connection: close\r\n\r\n';
const statusOf = answer => Number(/^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1]);

// Splits an answer into its parts, as octets. Its Content-Length has to be correct.
function parse(answer) {
  const [head, body] = [answer.slice(0, answer.indexOf('\r\n\r\n')), answer.slice(answer.indexOf('\r\n\r\n') + 4)];
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  assert.equal(Number(length), Buffer.byteLength(body), head);
  return { head, body };
}

test('request targets and Host headers in every form', async t => {
  const server = await startServer();
  t.after(server.stop);
  const status = async bytes => statusOf(await exchange(server.port, bytes));
  const told = async (bytes, expected) => assert.equal(await status(bytes + last), expected, JSON.stringify(bytes));
  await told('GET http://turn.example.org/ HTTP/1.1\r\nHost: turn.example.org\r\n', 200);
  await told('GET http://turn.example.org HTTP/1.1\r\nHost: other.example\r\n', 200);
  await told('GET http://[::1]:8080/ice-servers?x=1 HTTP/1.1\r\nHost: x\r\n', 200);
  await told('GET https://turn.example.org/nothing HTTP/1.1\r\nHost: x\r\n', 404);
  await told('GET ftp://turn.example.org/ HTTP/1.1\r\nHost: x\r\n', 400);
  await told('OPTIONS * HTTP/1.1\r\nHost: x\r\n', 204);
  await told('GET * HTTP/1.1\r\nHost: x\r\n', 400);
  await told('GET /turn?service=turn&x=[|]{} HTTP/1.1\r\nHost: x\r\n', 200);
  await told('GET /turn?service=turn&x=100% HTTP/1.1\r\nHost: x\r\n', 200);
  await told('POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n', 404);
  await told('GET / HTTP/1.1\r\nHost: x\r\nIf-Match: "nope"\r\n', 412);
  await told('GET / HTTP/1.1\r\n', 400);
  await told('GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n', 400);
  await told('GET / HTTP/1.1\r\nHost: a/b\r\n', 400);
  await told('GET / HTTP/1.1\r\nHost: user@x\r\n', 400);
  await told('GET / HTTP/1.1\r\nHost: a:port\r\n', 400);
  await told('GET / HTTP/1.1\r\nHost: a_b.internal:8080\r\n', 200);
  await told('GET / HTTP/1.1\r\nHost: 192.0.2.1.internal:8080\r\n', 200);
  await told('GET / HTTP/1.1\r\nHost: 192.0.2.1.nip.io\r\n', 403);
  await told('\r\nGET / HTTP/1.1\r\nHost: x\r\n', 200);
  await told('GET / HTTP/1.0\r\n', 200);
  await told('OPTIONS / HTTP/1.0\r\n', 204); // as HAProxy checks
  await told('GET / HTTP/1.0\r\nHost: a/b\r\n', 400);
  const options = await exchange(server.port, `OPTIONS * HTTP/1.1\r\nHost: x\r\n${last}`);
  assert.match(options, /\r\nAllow: .*GET/);
  assert.doesNotMatch(options, /content-length/i, 'a 204 has none');
});

test('a body with Expect: 100-continue', async t => {
  const server = await startServer();
  t.after(server.stop);
  const form = 'service=turn';
  const head = `POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: ${form.length}\r\nExpect: 100-Continue\r\n${last}`;
  const socket = net.connect(server.port, '127.0.0.1');
  let heard = '';
  await within(5000, 'to be asked for the body', new Promise(resolve => {
    socket.on('data', data => { heard += data; if (heard.includes('\r\n\r\n')) resolve(); });
    socket.write(head);
  }));
  assert.equal(heard, 'HTTP/1.1 100 Continue\r\n\r\n');
  const ended = new Promise(resolve => socket.on('close', resolve));
  socket.write(form);
  await within(5000, 'the answer', ended);
  assert.match(heard, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n[^]*"username"/);

  const post = (version, expect, length) => exchange(server.port,
    `POST /turn HTTP/${version}\r\nHost: x\r\nContent-Length: ${length}\r\nExpect: ${expect}\r\n${last}${form}`);
  assert.equal(statusOf(await post('1.1', '200-ok', form.length)), 417);
  assert.equal(statusOf(await post('1.1', '100-continue, 200-ok', form.length)), 417);
  assert.equal(statusOf(await post('1.1', '100-continue\r\nExpect: 200-ok', form.length)), 417);
  assert.equal(statusOf(await post('1.1', '100-continue, 100-continue,', form.length)), 100);
  assert.equal(statusOf(await post('1.1', '100-continue\r\nExpect: 100-continue', form.length)), 100);
  assert.equal(statusOf(await post('1.1', '', form.length)), 200);
  assert.equal(statusOf(await post('1.0', '100-continue', form.length)), 200, 'HTTP/1.0 has no 100');
  assert.equal(statusOf(await post('1.1', '100-continue', 100_000)), 413, 'nobody is asked for too much');
});

// RFC 9112 §6.1 and §6.3. Whoever stands in front of the server may take what follows for the body.
test('a body whose end is not known ends the connection', async t => {
  const server = await startServer();
  t.after(server.stop);
  const statuses = async (head, body) => {
    const smuggled = `${body}GET /nothing HTTP/1.1\r\nHost: x\r\n${last}`;
    const answers = await exchange(server.port, `POST /turn HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${smuggled}`);
    return answers.match(/HTTP\/1\.[01] \d+/g)?.map(statusOf);
  };
  const chunks = '6\r\nservic\r\n6;a=b;c="d"\r\ne=turn\r\n0\r\nX: y\r\n\r\n';
  assert.deepEqual(await statuses('Transfer-Encoding: chunked', chunks), [200, 404]);
  assert.deepEqual(await statuses('transfer-encoding:CHUNKED ', chunks), [200, 404]);
  for (const head of ['Transfer-Encoding: nonsense', 'Transfer-Encoding: xchunked', 'Transfer-Encoding: identity',
    'Transfer-Encoding: "chunked"', 'Transfer-Encoding: chunked, gzip', 'Transfer-Encoding: ',
    'Transfer-Encoding: gzip\r\nContent-Length: 0', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    'Content-Length: 0\r\nTransfer-Encoding: chunked', 'Content-Length: 0\r\nContent-Length: 5'])
    assert.deepEqual(await statuses(head, chunks), [400], head);
  for (const head of ['Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked'])
    assert.deepEqual(await statuses(head, chunks), [501], head);
  const old = `POST /turn HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
  assert.deepEqual((await exchange(server.port, old + old)).match(/HTTP\/1\.[01] \d+/g).map(statusOf), [400]);
  for (const wrong of ['Z\r\nhello\r\n0\r\n\r\n', '5\r\nhello0\r\n\r\n', '+5\r\nhello\r\n0\r\n\r\n', '0x5\r\nhello\r\n0\r\n\r\n',
    '5\nhello\r\n0\r\n\r\n', '5 \r\nhello\r\n0\r\n\r\n', 'ffffffffffffffff1\r\nhello', '0\r\nX y\r\n\r\n'])
    assert.deepEqual(await statuses('Transfer-Encoding: chunked', wrong), [400], JSON.stringify(wrong));
});

test('what stands beside the chunks is limited as well', async t => {
  const server = await startServer();
  t.after(server.stop);
  const head = 'POST /turn HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
  const much = 'y'.repeat(200_000);
  for (const beside of [`5;x=${much}`, `0;x=${much}`, `0\r\nX: ${much}`, `0\r\n${'X: y\r\n'.repeat(40_000)}`])
    assert.equal(statusOf(await exchange(server.port, head + beside, 8000)), 431, beside.slice(0, 8));
  const form = 'service=turn';
  const fitting = `c;x=${'y'.repeat(10_000)}\r\n${form}\r\n0\r\nX: ${'y'.repeat(10_000)}\r\n\r\n`;
  assert.equal(statusOf(await exchange(server.port, `${head.slice(0, -2)}${last}${fitting}`)), 200);
  // And what stands there is no part of the header.
  const late = 'GET /ws HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  const answers = await exchange(server.port, `${late}GET /nothing HTTP/1.1\r\nHost: x\r\n${last}`, 8000);
  assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g).map(statusOf), [426, 404]);
});

test('who takes the server for a proxy is told', async t => {
  const server = await startServer();
  t.after(server.stop);
  for (const rest of ['turn.example.org:443 HTTP/1.1\r\nHost: turn.example.org:443', '/ HTTP/1.1\r\nHost: x', 'x:80 HTTP/1.0']) {
    const answer = await exchange(server.port, `CONNECT ${rest}\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n`);
    assert.deepEqual(answer.match(/HTTP\/1\.[01] \d+/g), ['HTTP/1.1 501'], rest);
  }
});

// RFC 9112 §2.2
test('an empty line behind a body is not part of the next request', async t => {
  const server = await startServer();
  t.after(server.stop);
  const form = 'service=turn';
  const post = `POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: ${form.length}\r\n\r\n${form}`;
  const answers = await exchange(server.port, `${post}\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n${last}`);
  assert.deepEqual(answers.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 404']);
  assert.equal(statusOf(await exchange(server.port, `\r\r\nGET / HTTP/1.1\r\nHost: x\r\n${last}`)), 400);
});

test('Janus asks for credentials by POST', async t => {
  const server = await startServer();
  t.after(server.stop);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  for (const [path, body] of [['/turn?service=turn', ''], ['/turn', 'service=turn'], ['/turn', 'api=key&service=%74urn&username=u']]) {
    const answer = await request(server.url, path, { method: 'POST', headers, body });
    assert.equal(answer.status, 200, path);
    assert.ok(JSON.parse(answer.body).username);
  }
  assert.equal((await request(server.url, '/turn', { method: 'POST', headers, body: 'service=stun' })).status, 400);
  assert.equal((await request(server.url, '/turn', { method: 'PUT', headers, body: 'service=turn' })).headers.allow, 'GET, HEAD, POST');
});

test('Janus sends its token as turn_rest_api_key', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const ask = async (key, method, headers = {}) => {
    const query = `service=turn&api=${key}&key=${key}&username=1`;
    const body = method === 'POST' ? { body: query } : {};
    return (await request(server.url, `/turn?${method === 'POST' ? 'service=turn' : query}`, { method, headers, ...body })).status;
  };
  const good = token({ exp: inSeconds(60) });
  for (const method of ['GET', 'POST']) {
    assert.equal(await ask(good, method), 200, method);
    assert.equal(await ask(token({ exp: inSeconds(-120) }), method), 401, method);
    assert.equal(await ask('x', method), 401, method);
    assert.equal(await ask('', method), 401, method);
    // The header comes first.
    assert.equal(await ask(good, method, { authorization: 'Bearer x' }), 401, method);
  }
  // Nothing else takes a token from its URL.
  assert.equal((await request(server.url, `/ice-servers?key=${good}`)).status, 401);
});

test('a path that serves only a WebSocket says so', async t => {
  const server = await startServer();
  t.after(server.stop);
  for (const connection of ['keep-alive', 'close']) {
    const { status, headers, body } = await request(server.url, '/ws', { headers: { connection } });
    assert.equal(status, 426);
    assert.equal(headers.upgrade, 'websocket');
    assert.match(headers.connection, /^upgrade\b/i);
    assert.match(body.toString(), /^426 Upgrade Required: this path is for WebSockets/);
  }
  assert.equal((await request(server.url, '/ws', { method: 'POST' })).status, 405);
});

test('a refusal because of a limit is a complete response', async t => {
  const server = await startServer({ signaling: ['connections_per_address: 1'] });
  t.after(server.stop);
  const first = net.connect(server.port, '127.0.0.1');
  t.after(() => first.destroy());
  await new Promise(resolve => {
    first.once('data', resolve);
    first.write('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n');
  });
  const { head, body } = parse(await exchange(server.port, ''));
  assert.match(head, /^HTTP\/1\.1 429 Too Many Requests\r\n/);
  assert.match(head, /\r\nRetry-After: \d+/);
  assert.match(body, /too many connections/);
});

test('only a client that accepts gzip gets it', async t => {
  const server = await startServer();
  t.after(server.stop);
  const encoding = async value =>
    (await request(server.url, '/', { headers: { 'accept-encoding': value } })).headers['content-encoding'];
  for (const value of ['gzip', 'gzip;q=0.5, br', 'br, GZIP', '*', 'identity;q=0, *;q=1', ['br', 'gzip']])
    assert.equal(await encoding(value), 'gzip', String(value));
  for (const value of ['', 'br', 'gzip;q=0', 'gzip; q=0.000, br', 'gzip;q=0, *', '*;q=0', 'xgzip', ['gzip;q=0', 'br']])
    assert.equal(await encoding(value), undefined, String(value));
});

test('what the client already has is not sent again, even if several lines name it', async t => {
  const server = await startServer();
  t.after(server.stop);
  const { etag } = (await request(server.url, '/')).headers;
  const known = async value => (await request(server.url, '/', { headers: { 'if-none-match': value } })).status;
  assert.equal(await known(`"a", ${etag}`), 304);
  assert.equal(await known(`W/${etag}`), 304);
  assert.equal(await known('"a"'), 200);
  const answer = await exchange(server.port,
    `GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: "a"\r\nIf-None-Match: ${etag}\r\n${last}`);
  assert.equal(statusOf(answer), 304);
});

test('files of a folder are served as phones request them', async t => {
  const root = temporaryDirectory('files');
  t.after(root.remove);
  const octets = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251));
  const folders = ['.well-known/acme-challenge', '.git', '.well-known/.secret', 'a b/ü', 'sub'];
  for (const folder of folders) mkdirSync(join(root.path, folder), { recursive: true });
  writeFileSync(join(root.path, 'IMG_1.MOV'), octets);
  writeFileSync(join(root.path, 'empty.txt'), '');
  writeFileSync(join(root.path, 'sub/index.html'), 'sub');
  writeFileSync(join(root.path, '.git/config'), 'x');
  writeFileSync(join(root.path, '.well-known/acme-challenge/token'), 'proof');
  writeFileSync(join(root.path, '.well-known/.secret/x'), 'x');
  const server = await startServer({ signaling: [`root: ${root.path}`] });
  t.after(server.stop);
  const get = (path, headers = {}, options = {}) => request(server.url, path, { headers, ...options });

  await t.test('redirects keep the query and are valid URLs', async () => {
    const location = async path => (await get(path)).headers.location;
    assert.equal(await location('/sub?room=blue&x=%20'), '/sub/?room=blue&x=%20');
    assert.equal(await location('/a%20b/%C3%BC'), '/a%20b/%C3%BC/');
    assert.equal(await location('/sub?next=/a'), '/sub/?next=/a');
    for (const path of ['//sub', '//evil.example/..', '/%2Fsub']) assert.notEqual((await get(path)).status, 301, path);
  });

  await t.test('names that begin with a dot', async () => {
    assert.equal((await get('/.well-known/acme-challenge/token')).body.toString(), 'proof');
    for (const path of ['/.git/config', '/.well-known/.secret/x', '/sub/.well-known/x', '/.well-known/../.git/config',
      '/.well-known/%2e%2e/.git/config']) assert.equal((await get(path)).status, 404, path);
  });

  await t.test('parts of a film', async () => {
    const whole = await get('/IMG_1.MOV');
    assert.equal(whole.headers['content-type'], 'video/quicktime');
    assert.equal(whole.headers['accept-ranges'], 'bytes');
    assert.deepEqual(whole.body, octets);
    const { etag } = whole.headers;
    const part = async (range, start, end, headers = {}) => {
      const answer = await get('/IMG_1.MOV', { range, ...headers });
      assert.equal(answer.status, 206, range);
      assert.equal(answer.headers['content-range'], `bytes ${start}-${end - 1}/${octets.length}`);
      assert.equal(answer.headers['content-length'], String(end - start));
      assert.equal(answer.headers.etag, etag);
      assert.deepEqual(answer.body, octets.subarray(start, end));
    };
    await part('bytes=0-1', 0, 2); // what an iPhone asks first
    await part('bytes=0-', 0, octets.length);
    await part('bytes=70000-150000', 70_000, 150_001);
    await part('bytes=199999-300000', 199_999, 200_000);
    await part('bytes=-3', 199_997, 200_000);
    await part('bytes=5-5', 5, 6, { 'if-range': etag });
    const is = async (status, headers, options) => {
      const answer = await get('/IMG_1.MOV', headers, options);
      assert.equal(answer.status, status, JSON.stringify(headers));
      return answer;
    };
    const outside = await is(416, { range: 'bytes=200000-' });
    assert.equal(outside.headers['content-range'], 'bytes */200000');
    for (const range of ['bytes=1-2,4-5', 'bytes=2-1', 'items=0-1', 'bytes=x']) await is(200, { range });
    await is(200, { range: 'bytes=0-1', 'if-range': '"other"' });
    await is(200, { range: 'bytes=0-1', 'if-range': `W/${etag}` });
    await is(200, { range: 'bytes=0-1', 'if-range': 'Sat, 01 Jan 2000 00:00:00 GMT' });
    await is(304, { range: 'bytes=0-1', 'if-none-match': etag });
    const head = await is(200, { range: 'bytes=0-1' }, { method: 'HEAD' });
    assert.equal(head.headers['content-length'], '200000');
    const empty = await get('/empty.txt', { range: 'bytes=0-' });
    assert.equal(empty.status, 416);
    assert.equal((await get('/empty.txt')).headers['content-length'], '0');
  });
});
