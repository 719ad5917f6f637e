// Measures what bad input leaves behind: ten thousand of each kind, on both transports of Socket.IO, while
// the two members of a call continue to talk. Prints the daemon's memory before and after each kind, and how
// long the members' messages took.
//
//     node tests/bench/bad_input.mjs [--count 10000]
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { within } from '../browser/support/cleanup.mjs';
import { connect } from '../signaling/support/client.mjs';
import { startServer } from '../signaling/support/server.mjs';
import { percentile, residentKilobytes } from './process.mjs';

const { values } = parseArgs({ options: { count: { type: 'string', default: '10000' } } });
const count = Number(values.count);
const atOnce = 40;
const atOnceSlow = 2000; // each of them lasts until its deadline

const server = await startServer({ signaling: [
  'connections_per_address: 0', 'connections: 0', 'ping_interval: 300ms', 'ping_timeout: 200ms', 'connect_timeout: 1s',
  'credentials_per_second: 0', 'rooms_per_address: 0',
] });

const head = (method, query, ...headers) =>
  [`${method} /socket.io/?EIO=4&${query} HTTP/1.1`, 'Host: x', ...headers, '', ''].join('\r\n');
const poll = sid => head('GET', `transport=polling${sid ? `&sid=${sid}` : ''}`);
const upgrade = head('GET', 'transport=websocket', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==');
const post = (sid, length) => head('POST', `transport=polling&sid=${sid}`, `Content-Length: ${length}`);

// A masked text frame (RFC 6455 §5.2), with a mask of zeros.
function frame(text) {
  const data = Buffer.from(text);
  const size = data.length < 126 ? [0x80 | data.length] : [0xfe, data.length >> 8, data.length & 255];
  return Buffer.concat([Buffer.from([0x81, ...size]), Buffer.alloc(4), data]);
}
const webSocket = (...texts) => Buffer.concat([Buffer.from(upgrade), ...['40', ...texts].map(frame)]);

// Writes, and reads until the server ends the connection: with a close frame, which is answered by closing,
// or without.
function refused(bytes) {
  return new Promise(resolve => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', resolve);
    socket.on('data', data => { if (data.includes(0x88)) socket.destroy(); });
    socket.write(bytes);
  });
}

// Opens a polling session for `use`, which gets the socket and the session's id, and resolves at the end.
function session(use) {
  return new Promise(resolve => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', resolve);
    socket.once('data', data => use(socket, /"sid":"([^"]+)/.exec(data)[1]));
    socket.write(poll());
  });
}
const answered = socket => new Promise(resolve => { socket.once('data', resolve); socket.once('close', resolve); });

const deep = '['.repeat(60) + ']'.repeat(60);
const kinds = {
  'packet garbage': () => refused(webSocket('4abc')),
  'interleaved binary': () => refused(webSocket('451-["m",{"_placeholder":true,"num":0}]', '42["x"]')),
  'acks that nobody asked for, fifty': () => refused(webSocket(...Array.from({ length: 50 }, (_, i) => `43${i}[]`), '9')),
  '11 attachments': () => refused(webSocket('4511-["m"]')),
  'deep JSON': () => refused(webSocket(`42["m",${deep}]`, '9')),
  'one sid used twice': () => session(async (socket, sid) => {
    socket.write(poll(sid));
    await answered(socket); // the socket's own CONNECT is due, or a ping
    socket.write(poll(sid));
    const second = net.connect(server.port, '127.0.0.1');
    second.on('error', () => {});
    second.write(poll(sid));
    await answered(second);
    second.destroy();
    socket.destroy();
  }),
  'aborted polls': () => session((socket, sid) => socket.write(poll(sid), () => setImmediate(() => socket.destroy()))),
  'aborted posts': () => session((socket, sid) => socket.write(`${post(sid, 1000)}4x`, () => setImmediate(() => socket.destroy()))),
  'slow posts': () => session((socket, sid) => socket.write(`${post(sid, 1000)}4x`)), // until the server closes
};

const [ann, bob] = await Promise.all([connect(server.ws), connect(server.ws)]);
await ann.request({ type: 'join', room: 'call', name: 'ann' });
const [{ self }] = await bob.request({ type: 'join', room: 'call', name: 'bob' });
await ann.hear('peer-joined');
const delays = [];
let over = false;
const call = (async () => {
  while (!over) {
    const sent = performance.now();
    ann.say({ type: 'signal', to: self, data: 1 });
    await bob.hear('signal');
    delays.push(performance.now() - sent);
    await pause(20);
  }
})();

async function volley(one, size, width) {
  let left = size;
  await Promise.all(Array.from({ length: width }, async () => { while (left-- > 0) await one(); }));
  await pause(1200); // until the pings of what was left behind have timed out
}

for (const [name, one] of Object.entries(kinds)) {
  const width = name === 'slow posts' ? atOnceSlow : atOnce;
  await volley(one, Math.max(width, count / 10), width);
  const before = residentKilobytes(server.pid);
  await within(600_000, name, volley(one, count, width));
  console.log(`${name.padEnd(34)} ${before} kB → ${residentKilobytes(server.pid)} kB`);
}
over = true;
await call;
delays.sort((a, b) => a - b);
console.log(`${delays.length} messages of the call beside it: p50 ${percentile(delays, 0.5).toFixed(1)} ms, ` +
  `p99 ${percentile(delays, 0.99).toFixed(1)} ms`);
process.exit((await server.stop()) === 0 ? 0 : 1);
