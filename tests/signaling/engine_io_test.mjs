// Engine.IO 4 against the real daemon, bare (the echo preset's /engine.io/) and below Socket.IO: handshakes, payloads,
// heartbeats, upgrades, and what ends a session.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { member } from './support/client.mjs';
import { exchange, request } from './support/http.mjs';
import { startServer } from './support/server.mjs';
import { wire } from './support/wire.mjs';

test('the octets that have waited for a GET count for the client that sends the GET', async t => {
  const server = await startServer({ signaling: ['bytes_per_second_per_address: 50000'] });
  t.after(server.stop);
  const poll = '/socket.io/?EIO=4&transport=polling';
  const { sid } = JSON.parse((await request(server.url, poll)).body.toString().slice(1));
  const post = body => request(server.url, `${poll}&sid=${sid}`, { method: 'POST', body });
  assert.equal((await post('40')).status, 200);
  assert.equal((await post(Array(5000).fill('42["x"]').join('\x1e'))).status, 200);
  const { body } = await request(server.url, `${poll}&sid=${sid}`);
  assert.ok(body.length > 450_000, String(body.length)); // the burst, and what five seconds give
  assert.equal((await post('42["x"]')).status, 429);
});

// Sessions that live for longer than any of these tests waits: where one ends, it is not for want of a pong.
const echo = ['preset: echo', 'ping_interval: 20s', 'ping_timeout: 21s', 'max_payload: 1000000'];
const hasty = ['preset: echo', 'ping_interval: 300ms', 'ping_timeout: 2s'];

// What a client says to a server at this path: an HTTP request, a WebSocket, and what they are made of.
function speakTo(server, path) {
  const at = (query, options) => request(server.url, `${path}?${query}`, options);
  const get = (sid, more = '') => at(`EIO=4&transport=polling&sid=${sid}${more}`);
  return {
    at,
    get,
    ws: query => wire(`${server.url.replace('http', 'ws')}${path}?${query}`),
    open: async () => JSON.parse((await at('EIO=4&transport=polling')).body.toString().slice(1)).sid,
    post: (sid, body) => at(`EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body }),
    gone: async sid => assert.equal((await get(sid)).status, 400),
    // Answers no ping, until the session has ended of that.
    letEnd: async sid => { while ((await get(sid)).status !== 400); },
  };
}

for (const path of ['/engine.io/', '/socket.io/']) test(`Engine.IO at ${path}`, async t => {
  const server = await startServer({ signaling: echo });
  t.after(server.stop);
  const bare = path === '/engine.io/';
  const { at, get, ws, open, post, gone } = speakTo(server, path);
  const hello = bare ? '4hello' : '40';

  await t.test('a session opens by polling', async () => {
    const { status, headers, body } = await at('EIO=4&transport=polling');
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^text\/plain/);
    const text = body.toString();
    assert.equal(text[0], '0');
    const { sid, ...rest } = JSON.parse(text.slice(1));
    assert.ok(sid.length >= 22);
    assert.deepEqual(rest, { upgrades: ['websocket'], pingInterval: 20_000, pingTimeout: 21_000, maxPayload: 1_000_000 });
  });

  await t.test('a session opens by WebSocket', async () => {
    const socket = ws('EIO=4&transport=websocket');
    const text = await socket.next();
    const { sid, ...rest } = JSON.parse(text.slice(1));
    assert.ok(text.startsWith('0') && sid);
    assert.deepEqual(rest, { upgrades: [], pingInterval: 20_000, pingTimeout: 21_000, maxPayload: 1_000_000 });
    socket.close();
  });

  await t.test('a wrong handshake gets an error', async () => {
    const told = async (query, code, options) => {
      const { status, body } = await at(query, options);
      assert.equal(status, 400);
      assert.equal(JSON.parse(body).code, code);
    };
    await told('transport=polling', 5);
    await told('EIO=abc&transport=polling', 5);
    await told('EIO=3&transport=polling', 5);
    await told('EIO=4', 0);
    await told('EIO=4&transport=abc', 0);
    await told('EIO=4&transport=websocket', 3);
    await told('EIO=4&transport=polling', 2, { method: 'POST', body: '4x' });
    for (const method of ['PUT', 'DELETE', 'PATCH', 'PROPFIND']) {
      await told('EIO=4&transport=polling', 2, { method });
      await told('EIO=4&transport=polling&sid=x', 1, { method });
      await told(`EIO=4&transport=polling&sid=${await open()}`, 3, { method });
    }
    await told('EIO=4&transport=polling&sid=nobody', 1);
    // Socket.IO's own server looks at the version last, and only where a session begins.
    await told('sid=nobody', 0);
    await told('transport=polling&sid=nobody', 1);
    await told('transport=websocket&sid=nobody', 1);
    await told(`transport=websocket&sid=${await open()}`, 3);
    await told('transport=polling', 2, { method: 'POST', body: '4x' });
    await told('EIO=3&transport=polling', 2, { method: 'PUT' });
    await told('transport=websocket', 3);
    // Whatever else is wrong with an upgrade, the protocol's own error is told.
    for (const [query, code] of [['', 0], ['EIO=4&transport=polling', 3], ['transport=websocket&sid=nobody', 1], ['transport=websocket', 5]])
      await told(query, code, { headers: { connection: 'Upgrade', upgrade: 'websocket' } });
    for (const query of ['transport=websocket', 'EIO=abc&transport=websocket', 'EIO=4', 'EIO=4&transport=abc',
      'EIO=4&transport=websocket&sid=nobody']) await ws(query).closed();
  });

  await t.test('the version is named at the begin, and an empty id is none', async () => {
    const { status, body } = await at('EIO=4&transport=polling&sid=');
    assert.equal(status, 200);
    const { sid } = JSON.parse(body.toString().slice(1));
    const query = `transport=polling&sid=${sid}`;
    assert.equal((await at(query, { method: 'POST', body: hello })).body.toString(), 'ok');
    assert.match((await at(query)).body.toString(), bare ? /^4hello$/ : /^40\{"sid"/);
    const socket = ws(`transport=websocket&sid=${sid}`);
    await socket.opened;
    socket.send('2probe');
    assert.equal(await socket.next(), '3probe');
    socket.close();
    const other = ws('EIO=4&transport=websocket&sid=');
    assert.match(await other.next(), /^0\{"sid"/);
    other.close();
  });

  if (bare) await t.test('messages are sent back, text and binary, one or several', async () => {
    const sid = await open();
    for (const body of ['4hello', '4test1\x1e4test2\x1e4test3', '4hello\x1ebAQIDBA==', '4€ 한글']) {
      const { status, body: answer } = await post(sid, body);
      assert.equal(status, 200);
      assert.equal(answer.toString(), 'ok');
      assert.equal((await get(sid)).body.toString(), body);
    }
    const socket = ws('EIO=4&transport=websocket');
    await socket.next();
    socket.send('4hello');
    assert.equal(await socket.next(), '4hello');
    socket.send(Buffer.from([1, 2, 3, 4]));
    assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3, 4]));
    socket.close();
  });

  await t.test('a held GET is answered when there is something to send', async () => {
    const sid = await open();
    const held = get(sid);
    await post(sid, hello);
    assert.match((await held).body.toString(), bare ? /^4hello$/ : /^40\{"sid"/);
  });

  await t.test('an invalid packet ends the session', async () => {
    for (const body of ['abc', '', '4x\x1e', '9', 'b!!!!']) {
      const sid = await open();
      assert.equal((await post(sid, body)).status, 400, body);
      await gone(sid);
    }
    for (const frame of ['abc', '', 'b!!!!']) {
      const socket = ws('EIO=4&transport=websocket');
      await socket.next();
      socket.send(frame);
      await socket.closed();
    }
  });

  await t.test('a second GET at the same time ends the session', async () => {
    const sid = await open();
    const first = get(sid);
    const [one, two] = await Promise.all([first, get(sid, '&t=burst')]);
    const statuses = [one.status, two.status].sort();
    assert.deepEqual(statuses, [200, 400]);
    assert.equal([one, two].find(({ status }) => status === 200).body.toString(), '1');
    await gone(sid);
  });

  await t.test('a second POST before the end of the first one ends the session', async () => {
    const begin = (sid, length, body) => new Promise(resolve => {
      const socket = connect(server.port, '127.0.0.1');
      t.after(() => socket.destroy());
      const text = `POST ${path}?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: localhost\r\n` +
        `Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
      socket.write(text);
      socket.once('data', () => { // 100 Continue: the server knows of it
        socket.write(body);
        resolve(socket);
      });
    });
    const sid = await open();
    const first = await begin(sid, 2, '6');
    const second = await post(sid, '6');
    assert.equal(second.status, 400);
    assert.equal(JSON.parse(second.body).code, 3);
    await gone(sid);
    const answer = new Promise(resolve => first.once('data', data => resolve(data.toString())));
    first.write('6');
    assert.match(await answer, /^HTTP\/1\.1 400 .*"code":1/s);
    // A POST that was given up does not disturb others.
    const other = await open();
    const left = await begin(other, 2, '6');
    // The server closes its side when it has given it up.
    await within(15_000, 'the end', new Promise(resolve => { left.once('close', resolve).resume().end(); }));
    assert.equal((await post(other, '6')).status, 200);
  });

  await t.test('a GET that the client aborts ends the session', async () => {
    const sid = await open();
    const text = `GET ${path}?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const socket = connect(server.port, '127.0.0.1');
    await new Promise(resolve => socket.write(text, resolve));
    socket.destroy();
    await within(15_000, 'the session to end, long before its ping', (async () => {
      while ((await post(sid, '3')).status !== 400);
    })());
  });

  await t.test('a payload that is too large is refused', async () => {
    const sid = await open();
    assert.equal((await post(sid, `4${'x'.repeat(1_000_001)}`)).status, 413);
  });

  await t.test('the server pings, and waits only so long', async t => {
    const impatient = await startServer({ signaling: hasty });
    t.after(impatient.stop);
    const { get, ws, open, post, gone } = speakTo(impatient, path);
    const sid = await open();
    if (!bare) { // without a namespace, the session would be closed
      await post(sid, '40');
      await get(sid);
    }
    for (let i = 0; i < 3; ++i) {
      assert.equal((await get(sid)).body.toString(), '2');
      assert.equal((await post(sid, '3')).body.toString(), 'ok');
    }
    assert.equal((await get(sid)).body.toString(), '2'); // this one stays without an answer
    assert.equal((await get(sid)).body.toString(), '1');
    await gone(sid);

    const socket = ws('EIO=4&transport=websocket');
    await socket.next();
    if (!bare) {
      socket.send('40');
      for (let heard = ''; !heard.startsWith('42["auth"'); heard = await socket.next())
        if (heard === '2') socket.send('3');
    }
    for (let i = 0; i < 3; ++i) {
      assert.equal(await socket.next(), '2');
      socket.send('3');
    }
    assert.equal(await socket.next(), '2');
    await socket.closed();
  });

  await t.test('a client closes the session with a close packet', async () => {
    const sid = await open();
    const held = get(sid);
    await post(sid, '1');
    assert.equal((await held).body.toString(), '6');
    await gone(sid);
    const socket = ws('EIO=4&transport=websocket');
    await socket.next();
    socket.send('1');
    await socket.closed();
  });

  await t.test('a session is upgraded from polling to a WebSocket', async () => {
    const sid = await open();
    const held = get(sid);
    const socket = ws(`EIO=4&transport=websocket&sid=${sid}`);
    await socket.opened;
    socket.send('2probe');
    assert.equal(await socket.next(), '3probe');
    assert.equal((await held).body.toString(), '6');
    socket.send('5');
    socket.send(hello);
    assert.match(await socket.next(), bare ? /^4hello$/ : /^40\{"sid"/);
    assert.equal((await get(sid)).status, 400, 'polling is over');
    await ws(`EIO=4&transport=websocket&sid=${sid}`).closed();
    const [said, answered] = bare ? ['4still here', '4still here'] : ['42["message",1]', '42["message-back",1]'];
    if (!bare) assert.equal(await socket.next(), '42["auth",{}]');
    socket.send('3');
    socket.send(said);
    assert.equal(await socket.next(), answered, 'and neither that nor a pong that nobody asked for harms this one');
    socket.close();
  });

  // Elephant.IO for PHP, and arduinoWebSockets for ESP8266 and ESP32 in its older versions and in the present one.
  await t.test('an upgrade without a probe, or without waiting for its answer', async () => {
    for (const frames of [['5'], ['2probe', '5']]) {
      const sid = await open();
      const socket = ws(`EIO=4&transport=websocket&sid=${sid}`);
      await socket.opened;
      for (const frame of [...frames, hello]) socket.send(frame);
      if (frames.length > 1) assert.equal(await socket.next(), '3probe');
      assert.match(await socket.next(), bare ? /^4hello$/ : /^40\{"sid"/);
      assert.equal((await get(sid)).status, 400, 'polling is over');
      socket.close();
    }
  });

  await t.test('a WebSocket that sends no probe leaves the session with polling', async () => {
    const sid = await open();
    const socket = ws(`EIO=4&transport=websocket&sid=${sid}`);
    await socket.opened;
    socket.send('4hello');
    await socket.closed();
    assert.equal((await post(sid, hello)).status, 200);
    assert.equal((await get(sid)).status, 200);
  });

  await t.test('pages of other origins are refused, also with polling', async () => {
    const from = origin => at('EIO=4&transport=polling', { headers: { origin } });
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
    const origin = 'https://evil.example';
    for (const refused of [await from(origin), await at('EIO=4&transport=websocket', { headers: { origin, ...upgrade } })]) {
      assert.equal(refused.status, 403);
      assert.match(refused.headers['content-type'], /^application\/json/);
      assert.deepEqual(JSON.parse(refused.body), { code: 4, message: 'Forbidden' });
    }
    assert.equal((await from(server.url)).status, 200);
  });
});

test('when the daemon stops, WebSockets are told why', async t => {
  const server = await startServer({ signaling: echo });
  t.after(() => server.stop());
  const end = socket => new Promise(resolve => socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })));
  const restarting = { code: 1001, reason: 'restarting' };
  const ends = [];
  for (const path of ['/engine.io/', '/socket.io/']) {
    const socket = speakTo(server, path).ws('EIO=4&transport=websocket');
    ends.push(end(socket));
    assert.match(await socket.next(), /^0/);
  }
  // A client whose probe was answered is told when it has taken its WebSocket. One that never takes it is cut off.
  const { open, ws } = speakTo(server, '/engine.io/');
  const probed = async () => {
    const socket = ws(`EIO=4&transport=websocket&sid=${await open()}`);
    await socket.opened;
    socket.send('2probe');
    assert.equal(await socket.next(), '3probe');
    return { socket, ended: end(socket) };
  };
  const [changing, silent] = [await probed(), await probed()];
  const stopped = server.stop();
  assert.deepEqual(await Promise.all(ends), Array(2).fill(restarting));
  changing.socket.send('5');
  assert.deepEqual(await changing.ended, restarting);
  assert.equal((await silent.ended).code, 1006);
  assert.equal(await stopped, 0, server.log());
});

// What comes behind a GET stays in the socket. Of a client that uses TLS this may be its goodbye.
test('a GET that is given up ends the session, also where something came behind it', async t => {
  const server = await startServer({ signaling: ['preset: echo'] }); // whose pings time out after 45 seconds
  t.after(server.stop);
  const query = '/engine.io/?EIO=4&transport=polling';
  const { sid } = JSON.parse((await request(server.url, query)).body.toString().slice(1));
  const socket = connect(server.port, '127.0.0.1');
  const get = `GET ${query}&sid=${sid} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  await new Promise(resolve => socket.write(get, resolve));
  const post = body => request(server.url, `${query}&sid=${sid}`, { method: 'POST', body });
  assert.equal((await post('6')).status, 200); // the server holds the GET by now
  await new Promise(resolve => socket.write('\r\n', resolve));
  for (let i = 0; i < 3; ++i) assert.equal((await post('6')).status, 200); // and has seen what came behind it
  socket.destroy();
  await within(10_000, 'the end of the session', (async () => {
    while ((await post('6')).status === 200) await new Promise(resolve => setTimeout(resolve, 50));
  })());
});

test('a POST that never ends gets 408, and its session ends long before', async t => {
  const server = await startServer({ signaling: hasty });
  t.after(server.stop);
  const { ws, open, letEnd } = speakTo(server, '/engine.io/');
  const sid = await open();
  const slow = exchange(server.port, `POST /engine.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: localhost\r\n` +
    'Content-Length: 1000\r\n\r\n4never the rest', 30_000);
  let isAnswered = false;
  slow.then(() => { isAnswered = true; }, () => {});
  // Meanwhile, another client of the same address is served.
  const other = ws('EIO=4&transport=websocket');
  assert.match(await other.next(), /^0/);
  other.send('4hello');
  for (let heard = ''; heard !== '4hello'; heard = await other.next()) if (heard === '2') other.send('3');
  other.close();
  await letEnd(sid);
  assert.equal(isAnswered, false);
  assert.match(await slow, /^HTTP\/1\.1 408 /);
});

test('one address may have only a limited number of sessions, however few its connections', async t => {
  const server = await startServer({ signaling: [...echo, 'access: open', 'connections_per_address: 5', 'trusted_proxies: [127.0.0.1]'] });
  t.after(server.stop);
  const open = from => request(server.url, '/socket.io/?EIO=4&transport=polling', { headers: { 'x-forwarded-for': from } });
  for (let i = 0; i < 5; ++i) assert.equal((await open('198.51.100.1')).status, 200);
  const refused = await open('198.51.100.1');
  assert.equal(refused.status, 429);
  assert.ok(refused.headers['retry-after']);
  assert.equal((await open('198.51.100.2')).status, 200);
});

test('a member that polls no more is dropped when too much waits for it, and the log says so', async t => {
  const server = await startServer({ signaling: ['max_waiting: 100000'] });
  t.after(server.stop);
  const { open, get, post, gone } = speakTo(server, '/socket.io/');
  const sid = await open();
  assert.equal((await post(sid, '40')).status, 200);
  assert.match((await get(sid)).body.toString(), /^40/);
  assert.equal((await post(sid, '42["join_room","blue"]')).status, 200);
  const ann = await member(server.ws, 'blue', 'Ann');
  assert.equal(ann.joined.peers.length, 1);
  for (let i = 0; i < 17; ++i) await ann.request({ type: 'broadcast', data: 'x'.repeat(50_000) }); // above eight times max_waiting
  await gone(sid);
  ann.close();
  await server.stop(); // then the log is complete
  assert.match(server.log(), /signaling refused slow-reader from 127\.0\.0\.1 \(signaling\.max_waiting\)/);
});

test('ten thousand of each kind of garbage leave nothing behind', async t => {
  const { readFileSync } = await import('node:fs');
  const server = await startServer({
    signaling: ['preset: echo', 'ping_interval: 300ms', 'ping_timeout: 200ms', 'connections_per_address: 0'],
  });
  t.after(server.stop);
  const resident = () => Number(readFileSync(`/proc/${server.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);
  const head = (method, query, length) =>
    `${method} /socket.io/?${query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n`;
  const rounds = [
    head('GET', 'EIO=4&transport=polling', 0) + '\r\n',                 // sessions that nobody comes back to
    head('POST', 'EIO=4&transport=polling&sid=nobody', 3) + '\r\nabc',
    head('GET', 'EIO=9&transport=x', 0) + '\r\n',
  ];
  const volley = async count => {
    for (const bytes of rounds) {
      const end = head('GET', 'EIO=4', 0) + 'Connection: close\r\n\r\n';
      await exchange(server.port, bytes.repeat(count) + end);
    }
    // Those that opened before this one have ended when it has.
    const { open, letEnd } = speakTo(server, '/socket.io/');
    await letEnd(await open());
  };
  await volley(1000); // so that the daemon has the memory that it will use
  const before = resident();
  for (let i = 0; i < 10; ++i) await volley(1000);
  // A sanitizer keeps freed memory for a while.
  const sanitized = /lib[at]san/.test(readFileSync(`/proc/${server.pid}/maps`, 'utf8'));
  assert.ok(sanitized || resident() < before + 4096, `${before} kB → ${resident()} kB`);
  assert.equal((await request(server.url, '/socket.io/?EIO=4&transport=polling')).status, 200);
});
