// Tests Socket.IO 5 against the real daemon: the protocol frame by frame with the echo preset, and
// Socket.IO's own client with the course preset, over each transport.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import net from 'node:net';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { member } from './support/client.mjs';
import { request } from './support/http.mjs';
import { inSeconds, secret, startServer, token } from './support/server.mjs';
import { wire } from './support/wire.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

// Sessions that live for longer than any of these tests waits: where one ends, it is not for want of a pong.
const echo = ['preset: echo', 'ping_interval: 20s', 'ping_timeout: 21s', 'max_payload: 1000000'];
const transports = { polling: ['polling'], websocket: ['websocket'], both: ['polling', 'websocket'] };

test('the protocol, frame by frame', async t => {
  const server = await startServer({ signaling: echo });
  t.after(server.stop);

  async function session(at = server) {
    const socket = wire(`${at.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    assert.ok((await socket.next()).startsWith('0'));
    return socket;
  }
  async function connected() {
    const socket = await session();
    socket.send('40');
    assert.ok((await socket.next()).startsWith('40'));
    await socket.next(); // auth
    return socket;
  }

  await t.test('namespaces', async () => {
    const socket = await session();
    for (const [connect, prefix, auth] of [['40', '40', '42["auth",{}]'],
      ['40/custom,{"token":"abc"}', '40/custom,', '42/custom,["auth",{"token":"abc"}]']]) {
      socket.send(connect);
      const answer = await socket.next();
      assert.ok(answer.startsWith(prefix), answer);
      assert.deepEqual(Object.keys(JSON.parse(answer.slice(prefix.length))), ['sid']);
      assert.equal(await socket.next(), auth);
    }
    socket.send('40/random');
    assert.equal(await socket.next(), '44/random,{"message":"Invalid namespace"}');
    socket.send('41/custom');
    socket.send('42["message","to the main one"]');
    assert.equal(await socket.next(), '42["message-back","to the main one"]');
    socket.send('41');
    socket.send('40/custom');
    assert.ok((await socket.next()).startsWith('40/custom,'));
    socket.close();
    const other = await session();
    other.send('40{"token":"123"}');
    await other.next();
    assert.equal(await other.next(), '42["auth",{"token":"123"}]');
    other.close();
  });

  await t.test('events and acknowledgements are byte for byte as expected', async () => {
    const socket = await connected();
    socket.send('42["message",1,"2",{"3":[true]}]');
    assert.equal(await socket.next(), '42["message-back",1,"2",{"3":[true]}]');
    socket.send('42["message", 1.0 , 12345678901234567890,{"a" : "\\u0041"}]');
    assert.equal(await socket.next(), '42["message-back",1.0,12345678901234567890,{"a" : "\\u0041"}]');
    socket.send('42456["message-with-ack",1,"2",{"3":[false]}]');
    assert.equal(await socket.next(), '43456[1,"2",{"3":[false]}]');
    const binary = async (packet, answer) => {
      socket.send(packet);
      socket.send(Buffer.from([1, 2, 3]));
      socket.send(Buffer.from([4, 5, 6]));
      assert.equal(await socket.next(), answer);
      assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3]));
      assert.deepEqual(await socket.next(), Buffer.from([4, 5, 6]));
    };
    const two = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
    await binary(`452-["message",${two}]`, `452-["message-back",${two}]`);
    await binary(`452-789["message-with-ack",${two}]`, `462-789[${two}]`);
    socket.close();
  });

  await t.test('a client that breaks the protocol is disconnected', async () => {
    const deep = `${'['.repeat(40)}${']'.repeat(40)}`;
    const placeholder = '{"_placeholder":true,"num":0}';
    for (const frames of [['4abc'], ['42{}'], ['42abc["message-with-ack"]'], ['42[]'], ['42["connect"]'], ['42["disconnecting"]'],
      ['44{}'], ['47[]'], ['42/nowhere,["message"]'], ['40'], [`42["message",${deep}]`], ['42["message"'], ['4'],
      [`4511-["message",${placeholder}]`], [`451-["message",${placeholder}]`, '42["message",1]'], [Buffer.from([1])],
      ['451-["message",{"_placeholder":true,"num":7}]', Buffer.from([1])], ['452-["message"]', Buffer.from([1]), Buffer.from([1])],
      ['43[]'], ['4299999999999999999999["message"]']]) {
      const socket = await connected();
      for (const frame of frames) socket.send(frame);
      await assert.doesNotReject(socket.closed(), String(frames));
    }
    const early = await session();
    early.send('42["message"]');
    await early.closed();
  });

  await t.test('whoever asks for no namespace in time is put out', async t => {
    const impatient = await startServer({ signaling: [...echo, 'connect_timeout: 1s'] });
    t.after(impatient.stop);
    const silent = await session(impatient);
    await silent.closed();
  });
});

// Resolves to the arguments of the next such event.
const heard = (socket, event, milliseconds = 8000) => within(milliseconds, `the event ${event}`,
  new Promise(resolve => socket.once(event, (...args) => resolve(args))));

for (const [name, use] of Object.entries(transports)) test(`Socket.IO's own client, ${name}`, async t => {
  const server = await startServer({ signaling: ['list_rooms: true'] });
  t.after(server.stop);
  const sockets = [];
  t.after(() => sockets.forEach(socket => socket.disconnect()));
  async function client(options = {}) {
    const socket = io(server.url, { transports: use, forceNew: true, reconnectionDelay: 50, ...options });
    sockets.push(socket);
    await heard(socket, 'connect');
    return socket;
  }

  await t.test('rooms, nicknames and chat work as courses use them', async () => {
    const [ann, bob] = [await client(), await client()];
    assert.match(ann.id, /^[\w-]{22}$/);
    ann.emit('nickname', 'Ann');
    const rooms = heard(bob, 'room_change');
    await ann.timeout(5000).emitWithAck('enter_room', 'blue');
    assert.deepEqual(await rooms, [['blue']]);
    const welcome = heard(ann, 'welcome');
    await bob.timeout(5000).emitWithAck('join_room', 'blue');
    assert.deepEqual(await welcome, ['Anon', 2]);

    const offer = heard(bob, 'offer');
    ann.emit('offer', { type: 'offer', sdp: 'v=0' }, 'blue', 'Ann');
    assert.deepEqual(await offer, [{ type: 'offer', sdp: 'v=0' }, ann.id, 'Ann']);
    const answer = heard(ann, 'answer');
    bob.emit('answer', { type: 'answer' }, ann.id);
    assert.deepEqual(await answer, [{ type: 'answer' }, bob.id]);
    const ice = heard(ann, 'ice');
    bob.emit('ice', null, 'blue');
    assert.deepEqual(await ice, [null, bob.id]);
    const own = heard(ann, 'cursor');
    await bob.timeout(5000).emitWithAck('cursor', Buffer.from([1, 2, 3]), 'blue', 7);
    assert.deepEqual(await own, [Buffer.from([1, 2, 3]), bob.id, 7]);

    const message = heard(bob, 'new_message');
    await ann.timeout(5000).emitWithAck('new_message', 'hello', 'blue');
    assert.deepEqual(await message, ['Ann: hello']);
    const chat = heard(bob, 'chat');
    ann.emit('chat', 'plain', 'blue');
    assert.deepEqual(await chat, ['plain']);

    const farewell = Promise.all([heard(bob, 'bye'), heard(bob, 'leave_room')]);
    const id = ann.id;
    ann.disconnect();
    assert.deepEqual(await farewell, [['Ann', 1], [id, 'Ann']]);
    bob.disconnect();
  });

  await t.test('members join with a nickname at once, up to the limit of the room', async () => {
    const crowd = [];
    for (let i = 0; i < 3; ++i) crowd.push(await client());
    const accepted = [];
    for (const [i, socket] of crowd.entries()) {
      const accept = heard(socket, 'accept_join');
      socket.emit('join_room', 'green', `nick ${i}`);
      accepted.push((await accept)[0]);
    }
    assert.deepEqual(accepted[2], crowd.map((socket, i) => ({ socketId: socket.id, nickname: `nick ${i}` })));
    crowd.forEach(socket => socket.disconnect());
  });

  await t.test('members of a room meet through all protocols and transports', async () => {
    const other = await client({ transports: name === 'polling' ? ['websocket'] : ['polling'] });
    const plain = await member(server.ws, 'mixed', 'Plain');
    const ann = await client();
    await ann.timeout(5000).emitWithAck('join_room', 'mixed', 'Ann');
    assert.equal((await plain.hear('peer-joined')).peer.id, ann.id);
    const welcome = heard(ann, 'welcome');
    other.emit('enter_room', 'mixed');
    assert.deepEqual(await welcome, ['Anon', 3]);
    await plain.hear('peer-joined');
    const events = Promise.all([ann, other].map(socket => heard(socket, 'offer')));
    await plain.request({ type: 'broadcast', event: 'offer', data: { sdp: 1.0 } });
    assert.deepEqual(await events, [[{ sdp: 1 }, plain.id], [{ sdp: 1 }, plain.id]]);
    ann.emit('answer', 'yes', plain.id);
    assert.deepEqual(await plain.hear(), { type: 'signal', from: ann.id, event: 'answer', data: 'yes' });
    const bye = heard(ann, 'bye');
    plain.close();
    assert.deepEqual(await bye, ['Plain', 2]);
    [ann, other].forEach(socket => socket.disconnect());
  });

  await t.test('a client outside a room does not reach its members', async () => {
    const [ann, eve] = [await client(), await client()];
    await ann.timeout(5000).emitWithAck('enter_room', 'secret');
    let reached = false;
    for (const event of ['offer', 'new_message']) ann.on(event, () => { reached = true; });
    for (const target of ['secret', ann.id]) await eve.timeout(5000).emitWithAck('offer', 'data', target);
    await eve.timeout(5000).emitWithAck('new_message', 'data', 'secret');
    await ann.timeout(5000).emitWithAck('nickname', 'Ann'); // whatever came before would have been heard by now
    assert.equal(reached, false);
    [ann, eve].forEach(socket => socket.disconnect());
  });
});

for (const [name, use] of Object.entries(transports)) test(`Socket.IO's own client in two namespaces, ${name}`, async t => {
  const server = await startServer({ signaling: ['preset: echo'] });
  t.after(server.stop);
  const manager = { transports: use, auth: { token: 'abc' } };
  const [main, custom] = [io(server.url, { ...manager, forceNew: true }), io(`${server.url}/custom`, manager)];
  const none = io(`${server.url}/random`, manager);
  t.after(() => [main, custom, none].forEach(socket => socket.disconnect()));
  const auth = Promise.all([heard(main, 'auth'), heard(custom, 'auth')]);
  const refused = heard(none, 'connect_error');
  assert.deepEqual(await auth, [[{ token: 'abc' }], [{ token: 'abc' }]]);
  assert.equal((await refused)[0].message, 'Invalid namespace');
  for (const socket of [main, custom]) {
    const back = heard(socket, 'message-back');
    socket.emit('message', 1, '2', { 3: [Buffer.from([4, 5])] });
    assert.deepEqual(await back, [1, '2', { 3: [Buffer.from([4, 5])] }]);
    const ack = await new Promise(resolve => socket.emit('message-with-ack', 'a', Buffer.from([6]), (...args) => resolve(args)));
    assert.deepEqual(ack, ['a', Buffer.from([6])]);
  }
});

test('clients connect again by themselves after the daemon was restarted', async t => {
  const host = '127.0.0.42'; // nobody else uses it, so nobody takes the port while the daemon is away
  let server = await startServer({ host });
  const { port } = server;
  const socket = io(server.url, { reconnectionDelay: 100, reconnectionDelayMax: 200, forceNew: true });
  t.after(() => socket.disconnect());
  t.after(() => server.stop());
  await heard(socket, 'connect');
  const before = socket.id;
  const gone = heard(socket, 'disconnect');
  assert.equal(await server.stop(), 0, server.log());
  await gone;
  socket.emit('enter_room', 'later'); // buffered meanwhile
  const back = heard(socket, 'connect');
  server = await startServer({ host, port });
  await back;
  assert.notEqual(socket.id, before);
  await socket.timeout(5000).emitWithAck('enter_room', 'blue');
});

// Socket.IO's client asks for nothing more once its WebSocket is probed and its last GET is answered. If the WebSocket
// closed before that answer came, the client would wait for a ping that nobody sends.
test('a client that is about to change to its WebSocket notices that the daemon stops', async t => {
  const server = await startServer();
  t.after(server.stop);
  const held = []; // what comes by polling from the moment when there is a WebSocket
  let upgraded = false, probed = false, ended, ready;
  const isReady = new Promise(resolve => { ready = resolve; });
  const proxy = net.createServer(near => {
    const far = net.connect(server.port, '127.0.0.1');
    let isWebSocket = false;
    near.pipe(far);
    far.on('data', data => {
      const text = data.toString('latin1');
      if (text.startsWith('HTTP/1.1 101')) upgraded = isWebSocket = true;
      if (isWebSocket && text.includes('3probe')) probed = true;
      if (isWebSocket && data[0] === 0x88) ended = once(near, 'close'); // a Close frame, which comes too early
      if (isWebSocket || !upgraded) near.write(data);
      else held.push({ text, pass: () => near.end(data) });
      if (probed && held.some(({ text: answer }) => !answer.endsWith('ok'))) ready();
    });
    far.on('end', () => { if (isWebSocket || !upgraded) near.end(); });
    [near, far].forEach(line => line.on('error', () => {}));
  });
  await new Promise(resolve => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => proxy.close());
  const socket = io(`http://127.0.0.1:${proxy.address().port}`, { forceNew: true, reconnection: false });
  t.after(() => socket.disconnect());
  const other = wire(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  await Promise.all([other.next(), within(5000, 'the answer to the last GET', isReady)]);
  const gone = heard(socket.io, 'close');
  const stopped = server.stop();
  await other.closed();
  await ended;
  for (const { pass } of held) pass();
  await gone;
  assert.equal(await stopped, 0, server.log());
});

// A page that hears of it ends its calls, and direct calls go on without the daemon.
test('when the daemon stops, nobody is told that the others have left', async t => {
  const server = await startServer();
  t.after(server.stop);
  const told = [];
  const ends = [];
  for (const transport of ['websocket', 'polling', 'websocket']) {
    const socket = io(server.url, { forceNew: true, transports: [transport], reconnection: false });
    t.after(() => socket.disconnect());
    await socket.timeout(8000).emitWithAck('enter_room', 'blue');
    for (const event of ['bye', 'leave_room']) socket.on(event, () => told.push(event));
    ends.push(heard(socket, 'disconnect'));
  }
  const plain = await member(server.ws, 'blue', 'Plain');
  assert.equal(plain.joined.peers.length, 3);
  assert.equal(await server.stop(), 0, server.log());
  await Promise.all(ends);
  assert.deepEqual(await plain.ended, { code: 1001, reason: 'restarting' });
  await assert.rejects(plain.hear(), /the socket was closed/, 'without a word');
  assert.deepEqual(told, []);
});

test('a client that was cut off recovers what it missed', async t => {
  const server = await startServer({ signaling: ['recovery: 120s'] });
  t.after(server.stop);
  // A line that can be cut in the middle.
  const lines = new Set();
  const proxy = net.createServer(near => {
    const far = net.connect(server.port, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]]) {
      one.pipe(other);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
    lines.add(near);
  });
  await new Promise(resolve => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => proxy.close());
  const url = `http://127.0.0.1:${proxy.address().port}`;
  const options = { transports: ['websocket'], forceNew: true, reconnectionDelay: 300, randomizationFactor: 0 };
  const ann = io(server.url, options);
  const bob = io(url, options);
  t.after(() => [ann, bob].forEach(socket => socket.disconnect()));
  await Promise.all([heard(ann, 'connect'), heard(bob, 'connect')]);
  await ann.timeout(5000).emitWithAck('enter_room', 'blue');
  const welcome = heard(ann, 'welcome');
  await bob.timeout(5000).emitWithAck('enter_room', 'blue');
  await welcome;
  const texts = [];
  bob.on('chat', text => texts.push(text));
  const first = heard(bob, 'chat');
  ann.emit('chat', 'one', 'blue');
  await first;
  let left = false;
  ann.on('bye', () => { left = true; });

  const { id } = bob;
  const back = heard(bob, 'connect');
  for (const line of lines) line.resetAndDestroy?.() ?? line.destroy();
  for (const text of ['two', 'three']) ann.emit('chat', text, 'blue');
  await back;
  assert.equal(bob.id, id);
  assert.equal(bob.recovered, true);
  const last = heard(bob, 'chat');
  if (texts.length < 3) await last;
  ann.emit('chat', 'four', 'blue');
  await within(5000, 'all of it', (async () => { while (texts.length < 4) await heard(bob, 'chat'); })());
  assert.deepEqual(texts, ['one', 'two', 'three', 'four']);
  await ann.timeout(5000).emitWithAck('nickname', 'Ann'); // whatever came before would have been heard by now
  assert.equal(left, false, 'nobody noticed');
});

test('an attachment may be as long as a message, and is told for the log when it is longer', async t => {
  const server = await startServer({ signaling: ['preset: echo', 'max_payload: 3000000', 'bytes_per_second_per_address: 0'] });
  t.after(server.stop);
  const socket = io(server.url, { transports: transports.websocket, forceNew: true, reconnection: false });
  t.after(() => socket.close());
  const back = await socket.timeout(8000).emitWithAck('message-with-ack', Buffer.alloc(3_000_000, 7));
  assert.deepEqual([back.length, back[0], back.at(-1)], [3_000_000, 7, 7]);
  const ended = once(socket, 'disconnect');
  socket.emit('message', Buffer.alloc(2_000_000), Buffer.alloc(2_000_000));
  await within(8000, 'its end', ended);
  await server.stop();
  assert.match(server.log(), /signaling refused message from 127\.0\.0\.1 \(signaling\.max_payload\)/);
});

test('Socket.IO with tokens', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}]`] });
  t.after(server.stop);
  const attempt = async auth => {
    const socket = io(server.url, { auth, forceNew: true, transports: ['websocket'], reconnection: false });
    t.after(() => socket.disconnect());
    const error = await Promise.race([heard(socket, 'connect').then(() => null), heard(socket, 'connect_error')]);
    return { socket, code: error?.[0].data?.code };
  };
  assert.equal((await attempt({})).code, 'token-required');
  assert.equal((await attempt({ token: token({ exp: inSeconds(-61) }) })).code, 'token-expired');
  const { socket, code } = await attempt({ token: token({ room: 'blue', exp: inSeconds(60) }) });
  assert.equal(code, undefined);
  assert.deepEqual(await socket.timeout(5000).emitWithAck('enter_room', 'green'), { error: 'token-invalid' });
  await socket.timeout(5000).emitWithAck('enter_room', 'blue');
});

test('Socket.IO\'s client is served, with its licence', async t => {
  const server = await startServer();
  t.after(server.stop);
  for (const name of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js']) {
    const { status, headers, body } = await request(server.url, `/socket.io/${name}`);
    assert.equal(status, 200, body.toString());
    assert.match(headers['content-type'], /javascript/);
    assert.match(body.toString(), /Socket\.IO v4/);
  }
  assert.match((await request(server.url, '/socket.io/LICENSE')).body.toString(), /MIT/);
});
