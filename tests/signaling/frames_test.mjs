// Tests WebSockets octet by octet: octets that come in one segment with the upgrade, and frames that are not
// text.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import net from 'node:net';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { WebSocket, connect, member } from './support/client.mjs';
import { exchange, request } from './support/http.mjs';
import { startServer as start } from './support/server.mjs';
import { wire } from './support/wire.mjs';

// Starts a server that accepts every host name of these requests.
const startServer = ({ signaling = [], ...more } = {}) =>
  start({ signaling: ['hosts: [x, turn.example.org, "*.internal"]', ...signaling], ...more });

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

const upgrade = (path, more = 'Connection: Upgrade\r\n') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}Upgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

// Returns a frame as a client sends it (RFC 6455 §5.2), of at most 2^32-1 octets.
function frame(data, opcode = 1) {
  const payload = Buffer.from(data);
  const key = randomBytes(4);
  const octets = count => Array.from({ length: count }, (_, i) => Math.floor(payload.length / 256 ** (count - 1 - i)) % 256);
  const length = payload.length < 126 ? [0x80 | payload.length]
    : payload.length < 65_536 ? [0xfe, ...octets(2)] : [0xff, ...octets(8)];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length]), key, payload.map((octet, i) => octet ^ key[i % 4])]);
}

const goodbye = frame(Buffer.from([0x03, 0xe8]), 8);

// Sends `parts` one after the other, each after something was received. Resolves to the texts of `count`
// frames.
async function talk(port, parts, count) {
  const socket = net.connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  let heard = Buffer.alloc(0);
  const left = [...parts];
  const frames = await within(8000, `${count} frames`, new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${heard}`)));
    socket.on('data', data => {
      heard = Buffer.concat([heard, data]);
      if (left.length > 0) socket.write(left.shift());
      const texts = [];
      for (let at = heard.indexOf('\r\n\r\n') + 4; at > 3 && at + 2 <= heard.length;) {
        const short = heard[at + 1] < 126;
        const size = short ? heard[at + 1] : heard.readUInt16BE(at + 2);
        const start = at + (short ? 2 : 4);
        if (start + size > heard.length) break;
        texts.push(heard.subarray(start, start + size).toString());
        at = start + size;
      }
      if (texts.length >= count) resolve(texts);
    });
    socket.write(left.shift());
  }));
  socket.destroy();
  return frames;
}

test('frames in the same segment as the upgrade are processed', async t => {
  const server = await startServer();
  t.after(server.stop);
  const join = frame('{"type":"join","room":"blue","id":1}');
  const ping = frame('{"type":"ping","id":2}');
  const head = Buffer.from(upgrade('/ws'));
  const both = ([joined, ack, pong]) => {
    assert.equal(JSON.parse(joined).type, 'joined');
    assert.deepEqual([ack, pong].map(JSON.parse), [{ type: 'ack', id: 1 }, { type: 'ack', id: 2 }]);
  };
  both(await talk(server.port, [Buffer.concat([head, join, ping])], 3));
  both(await talk(server.port, [Buffer.concat([head, join]), ping], 3));
  for (const cut of [1, 2, 5, 6, 20, join.length - 1])
    both(await talk(server.port, [Buffer.concat([head, join.subarray(0, cut)]), Buffer.concat([join.subarray(cut), ping])], 3));
  const many = await talk(server.port, [Buffer.concat([head, ...Array.from({ length: 300 }, (_, i) => frame(`{"type":"ping","id":${i}}`))])], 300);
  assert.deepEqual(many, Array.from({ length: 300 }, (_, i) => `{"type":"ack","id":${i}}`));
  // Socket.IO's client may do so too.
  const [open, connected] = await talk(server.port,
    [Buffer.concat([Buffer.from(upgrade('/socket.io/?EIO=4&transport=websocket')), frame('40')])], 2);
  assert.match(open, /^0{"sid"/);
  assert.match(connected, /^40{"sid"/);
});

// RFC 6455 §5.2: browsers end a connection whose frames have longer lengths than necessary.
test('a message is one frame whose length is written as short as possible', async t => {
  const server = await startServer();
  t.after(server.stop);
  for (const [size, ...length] of [[0, 0], [125, 125], [126, 126, 0, 126], [65_535, 126, 255, 255], [65_536, 127, 0, 0, 0, 0, 0, 1, 0, 0]]) {
    const socket = net.connect(server.port, '127.0.0.1');
    let heard = Buffer.alloc(0);
    const answer = await within(8000, `${size} octets`, new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('data', data => {
        heard = Buffer.concat([heard, data]);
        const at = heard.indexOf('\r\n\r\n') + 4;
        if (at > 3 && heard.length >= at + 1 + length.length + size) resolve(heard.subarray(at));
      });
      socket.write(Buffer.concat([Buffer.from(upgrade('/')), frame('x'.repeat(size))])); // the chat tells everybody
    }));
    assert.deepEqual([...answer.subarray(0, 1 + length.length)], [0x81, ...length]);
    assert.equal(answer.subarray(1 + length.length).toString(), 'x'.repeat(size));
    socket.destroy();
  }
});

test('an upgrade request is accepted as proxies rewrite it', async t => {
  const server = await startServer();
  t.after(server.stop);
  const parts = more => [Buffer.concat([Buffer.from(upgrade('/ws', more)), frame('{"type":"ping","id":1}')])];
  for (const more of ['Connection: keep-alive\r\nConnection: Upgrade\r\n', 'connection: x, uPGRADE\r\n', 'Connection: Upgrade\r\nConnection: y\r\n'])
    assert.deepEqual(await talk(server.port, parts(more), 1), ['{"type":"ack","id":1}'], more);
  const absolute = [Buffer.concat([Buffer.from(upgrade('http://turn.example.org/ws')), frame('{"type":"ping","id":1}')])];
  assert.deepEqual(await talk(server.port, absolute, 1), ['{"type":"ack","id":1}']);
});

test('the first offered subprotocol is chosen', async t => {
  const server = await startServer();
  t.after(server.stop);
  const root = server.url.replace('http', 'ws');
  for (const path of ['/', '/ws', '/socket.io/?EIO=4&transport=websocket']) {
    const chosen = async offered => {
      const socket = new WebSocket(root + path, offered);
      await within(8000, 'the WebSocket to open', new Promise((resolve, reject) => {
        socket.once('open', resolve);
        socket.once('error', reject);
      }));
      socket.close();
      return socket.protocol;
    };
    assert.equal(await chosen('echo-protocol'), 'echo-protocol', path);
    assert.equal(await chosen(['json', 'chat']), 'json', path);
    assert.equal(await chosen([]), '', path);
  }
  for (const wrong of ['', ',', '"a"', 'a b', 'a, {'])
    assert.doesNotMatch(await exchange(server.port, Buffer.concat([
      Buffer.from(upgrade('/ws', `Connection: Upgrade\r\nSec-WebSocket-Protocol: ${wrong}\r\n`)), goodbye])), /Sec-WebSocket-Protocol/, wrong);
});

for (const [name, opcode, path] of [['pings', 9, '/ws'], ['pongs', 10, '/'], ['pings', 9, '/socket.io/?EIO=4&transport=websocket']])
  test(`${name} at ${path} have their cost, and a client that sends too many is cut off`, async t => {
    const server = await startServer({ signaling: ['bytes_per_second_per_address: 50000'] });
    t.after(server.stop);
    const innocent = await connect(server.ws);
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    const ended = new Promise(resolve => socket.on('close', resolve));
    socket.write(Buffer.concat([Buffer.from(upgrade(path)), ...Array.from({ length: 600 }, () => frame('', opcode))]));
    await within(5000, 'its end', ended);
    const answered = new Promise(resolve => innocent.once('pong', resolve));
    innocent.ping();
    await within(5000, 'the answer to another client of that address', answered);
    innocent.terminate();
    await server.stop(); // then the log is complete
    assert.match(server.log(), /signaling refused rate-limited from 127\.0\.0\.1 \(signaling\.bytes_per_second_per_address\)/);
  });

test('a client that gets a close frame and does not read is cut off', async t => {
  const server = await startServer({ signaling: ['max_waiting: 16000000', 'bytes_per_second_per_address: 0'] });
  t.after(server.stop);
  const ann = await member(server.ws, 'blue', 'Ann');
  const slow = await member(server.ws, 'blue', 'Slow');
  await ann.hear('peer-joined');
  slow.pause();
  for (let i = 0; i < 130; ++i) await ann.request({ type: 'broadcast', data: 'x'.repeat(60_000) });
  const ended = new Promise(resolve => slow._socket.on('close', resolve)); // whatever it has not read
  slow.send(Buffer.from([1])); // the server closes the connection for this
  const timer = setInterval(() => { if (slow.readyState === WebSocket.OPEN) slow.pong(); }, 500); // it is not silent
  t.after(() => clearInterval(timer));
  await within(30_000, 'its end', ended);
  slow.terminate();
  ann.close();
});

for (const [code, why] of [[[0x03, 0xe8], 'is done'], [[0x03, 0xe9], 'leaves the page'], [[], 'says no code']]) test(`a client that ${why} has left at once, even if its connection stays open`, async t => {
  const server = await startServer();
  t.after(server.stop);
  const ann = await member(server.ws, 'blue', 'Ann');
  const socket = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => socket.destroy());
  const ended = new Promise(resolve => socket.on('end', resolve));
  socket.resume();
  socket.write(Buffer.concat([Buffer.from(upgrade('/ws')), frame('{"type":"join","room":"blue"}')]));
  await ann.hear('peer-joined');
  socket.write(frame(Buffer.from(code), 8));
  await within(8000, 'the end of what the server says', ended);
  const told = await ann.request({ type: 'ping' }); // what came before its answer
  assert.deepEqual(told.map(({ type, reason }) => [type, reason]), [['peer-left', 'left']]);
  ann.close();
});

test('a client that answers no ping is cut off, and the others are told that it is lost', async t => {
  const server = await startServer();
  t.after(server.stop);
  const ann = await member(server.ws, 'blue', 'Ann'); // who answers
  const socket = net.connect(server.port, '127.0.0.1');
  let heard = Buffer.alloc(0);
  socket.on('data', data => { heard = Buffer.concat([heard, data]); });
  socket.on('error', () => {});
  const ended = new Promise(resolve => socket.on('close', resolve));
  socket.write(Buffer.concat([Buffer.from(upgrade('/ws')), frame('{"type":"join","room":"blue"}')]));
  await ann.hear('peer-joined');
  await within(60_000, 'its end', ended);
  assert.ok(heard.includes(Buffer.from([0x89, 0])), 'it was asked');
  assert.equal((await ann.hear('peer-left', 20_000)).reason, 'lost');
  assert.deepEqual(await ann.request({ type: 'ping' }), []);
  ann.close();
});

test('octets that are not text reach nobody in the chat', async t => {
  const server = await startServer();
  t.after(server.stop);
  const root = server.url.replace('http', 'ws');
  const [ann, bob] = [await connect(root), await connect(root)];
  ann.send(Buffer.from([0xff, 0xfe, 0x80]));
  assert.equal((await ann.ended).code, 1003);
  bob.say('still here');
  assert.equal(await bob.hearText(), 'still here', 'and nothing before it');
  bob.close();
});

test('a POST whose packet is not text ends its session', async t => {
  const server = await startServer({ signaling: ['preset: echo'] });
  t.after(server.stop);
  const at = (query, options) => request(server.url, `/engine.io/?EIO=4&transport=polling${query}`, options);
  const { sid } = JSON.parse((await at('')).body.toString().slice(1));
  const answer = await at(`&sid=${sid}`, { method: 'POST', body: Buffer.from([0x34, 0xff, 0xfe, 0x80]) });
  assert.equal(answer.status, 400);
  assert.equal((await at(`&sid=${sid}`)).status, 400, 'its session has ended');
});

test('a client that cannot receive binary frames', async t => {
  const server = await startServer({ signaling: ['preset: echo'] });
  t.after(server.stop);
  const socket = wire(`${server.url.replace('http', 'ws')}/engine.io/?EIO=4&transport=websocket&b64=1`);
  assert.match(await socket.next(), /^0/);
  socket.send('bAQID');
  assert.equal(await socket.next(), 'bAQID');
  socket.send('4hello');
  assert.equal(await socket.next(), '4hello');
  socket.close();
});

test('Socket.IO\'s own client with forceBase64, with each transport', async t => {
  const server = await startServer();
  t.after(server.stop);
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    const join = async forceBase64 => {
      const socket = io(server.url, { transports, forceBase64, forceNew: true, reconnection: false });
      t.after(() => socket.close());
      await socket.timeout(8000).emitWithAck('join_room', transports.join());
      return socket;
    };
    const [ann, bob] = [await join(true), await join(false)];
    for (const [from, to] of [[ann, bob], [bob, ann]]) {
      const heard = within(8000, 'the chat', new Promise(resolve => to.once('chat', resolve)));
      from.emit('chat', { photo: Buffer.from([1, 2, 255]) }, transports.join());
      assert.deepEqual([...new Uint8Array((await heard).photo)], [1, 2, 255], transports.join());
    }
  }
});

test('a second WebSocket for a session is accepted and closed', async t => {
  const server = await startServer({ signaling: ['preset: echo'] });
  t.after(server.stop);
  const ws = query => wire(`${server.url.replace('http', 'ws')}/engine.io/?EIO=4&transport=websocket${query}`);
  const first = ws('');
  const { sid } = JSON.parse((await first.next()).slice(1));
  const second = ws(`&sid=${sid}`);
  await within(8000, 'the second to open', second.opened);
  await second.closed();
  first.send('4still here');
  assert.equal(await first.next(), '4still here');
  first.close();
  const unknown = await request(server.url, '/engine.io/?EIO=4&transport=websocket&sid=nobody', { headers: {
    connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' } });
  assert.deepEqual([unknown.status, JSON.parse(unknown.body).code], [400, 1]);
});

test('octets of a chat reach a member of the plain protocol as base64', async t => {
  const server = await startServer();
  t.after(server.stop);
  const pat = await member(server.ws, 'blue', 'Pat');
  const ann = wire(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  await ann.next();
  ann.send('40');
  await ann.next();
  ann.send('420["join_room","blue"]');
  assert.equal(await ann.next(), '430[]');
  await pat.hear('peer-joined');
  ann.send('451-["chat",{"_placeholder":true,"num":0},"blue"]');
  ann.send(Buffer.from([1, 2, 3]));
  assert.deepEqual((await pat.hear('broadcast')).data, { base64: 'AQID' });
  pat.close();
  ann.close();
});
