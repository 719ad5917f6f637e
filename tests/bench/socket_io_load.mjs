// Socket.IO under load: idle connections, then events forwarded in rooms of two; the daemon on one core, this program on
// another. Prints what a connection costs in memory, how many events arrive, and the CPU time of each.
//
//     node tests/bench/socket_io_load.mjs [--connections 5000] [--seconds 5] [--rate 20000]
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { cpuSeconds, percentile, residentKilobytes } from './process.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const WebSocket = require('ws');
const { values } = parseArgs({ options: {
  connections: { type: 'string', default: '5000' },
  seconds: { type: 'string', default: '5' },
  rate: { type: 'string', default: '20000' }, // events a second, of all rooms together
} });
const [connections, seconds, rate] = ['connections', 'seconds', 'rate'].map(name => Number(values[name]));

const daemon = await startTurnpike(`
listen: [udp://127.0.0.1:0]
relay: {addresses: [127.0.0.1]}
workers: 1
signaling: {listen: http://127.0.0.1:0, connections_per_address: 0, rooms_per_address: 0, bytes_per_second_per_address: 0}
`, ['taskset', '-c', '0']);
const url = `${daemon.listeners.find(listener => listener.startsWith('http')).replace('http', 'ws')}/socket.io/`;

const delays = [];
function connect(room) {
  const socket = new WebSocket(`${url}?EIO=4&transport=websocket`, { perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', data => {
      const text = data.toString();
      if (text === '2') socket.send('3');
      else if (text[0] === '0') socket.send('40');
      else if (text.startsWith('40')) socket.send(`420["join_room","${room}"]`);
      else if (text.startsWith('430')) resolve(socket);
      else if (text.startsWith('42["ice"')) delays.push(performance.now() - Number(text.match(/"sent":([\d.]+)/)[1]));
    });
  });
}

const before = residentKilobytes(daemon.pid);
const sockets = [];
while (sockets.length < connections) {
  const batch = Array.from({ length: 50 }, (_, i) => connect(`room-${Math.floor((sockets.length + i) / 2)}`));
  sockets.push(...await Promise.all(batch));
}
const resident = residentKilobytes(daemon.pid) - before;
console.log(`${connections} connections, each in a room of two: ${(resident * 1.024 / connections).toFixed(1)} kB each`);

const candidate = 'candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0';
let sent = 0;
const cpuBefore = cpuSeconds(daemon.pid);
const started = performance.now();
await new Promise(resolve => {
  const timer = setInterval(() => {
    const elapsed = performance.now() - started;
    for (const due = Math.min(elapsed, seconds * 1000) * rate / 1000; sent < due; ++sent) {
      const index = sent % connections;
      const room = `room-${Math.floor(index / 2)}`;
      sockets[index].send(`42["ice",{"candidate":"${candidate}","sent":${performance.now()}},"${room}"]`);
    }
    if (elapsed > seconds * 1000 && (delays.length === sent || elapsed > seconds * 1000 + 10_000)) {
      clearInterval(timer);
      resolve();
    }
  }, 5);
});
const elapsed = (performance.now() - started) / 1000;
const cpu = cpuSeconds(daemon.pid) - cpuBefore;
delays.sort((a, b) => a - b);
console.log(`${sent} events, ${delays.length} arrived, ${Math.round(delays.length / elapsed)} a second; ` +
  `p50 ${percentile(delays, 0.5).toFixed(1)} ms, p99 ${percentile(delays, 0.99).toFixed(1)} ms; ` +
  `${(cpu / sent * 1e6).toFixed(1)} µs of CPU each, so one core does ${Math.round(sent / cpu)} a second`);
for (const socket of sockets) socket.terminate();
await daemon.stop();
