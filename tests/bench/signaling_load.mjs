// The signaling endpoint under load: rooms of three over plain WebSockets, the daemon on one core and this program on
// another. Prints how long a signal takes from member to member, and what an idle member costs in memory.
//
//     node tests/bench/signaling_load.mjs [--rooms 1000] [--seconds 10] [--rate 3000]
import { parseArgs } from 'node:util';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { member } from '../signaling/support/client.mjs';
import { cpuSeconds, percentile, residentKilobytes } from './process.mjs';

const { values } = parseArgs({ options: {
  rooms: { type: 'string', default: '1000' },
  seconds: { type: 'string', default: '10' },
  rate: { type: 'string', default: '3000' }, // signals a second, of all rooms together
} });
const [rooms, seconds, rate] = ['rooms', 'seconds', 'rate'].map(name => Number(values[name]));
const perRoom = 3;

const daemon = await startTurnpike(`
listen: [udp://127.0.0.1:0]
relay: {addresses: [127.0.0.1]}
workers: 1
signaling:
  listen: http://127.0.0.1:0
  connections_per_address: 0
  rooms_per_address: 0
  bytes_per_second_per_address: 0
  credentials_per_second: 0
`, ['taskset', '-c', '0']);
const url = `${daemon.listeners.find(listener => listener.startsWith('http')).replace('http', 'ws')}/ws`;

const before = residentKilobytes(daemon.pid);
const members = [];
for (let room = 0; room < rooms; ++room)
  members.push(await Promise.all(Array.from({ length: perRoom }, (_, i) => member(url, `room-${room}`, `member ${i}`))));
const resident = residentKilobytes(daemon.pid) - before;
console.log(`${rooms * perRoom} members: ${(resident * 1024 / rooms / perRoom / 1000).toFixed(1)} kB each when idle`);

const delays = [];
for (const member of members.flat()) {
  member.removeAllListeners('message');
  member.on('message', text => {
    const { type, data } = JSON.parse(text);
    if (type === 'signal') delays.push(performance.now() - data.sent);
  });
}
// This text is as long as a real candidate.
const candidate = 'candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0';
const tick = 10; // milliseconds
let sent = 0;
const cpuBefore = cpuSeconds(daemon.pid);
const started = performance.now();
await new Promise(resolve => {
  const timer = setInterval(() => {
    const elapsed = performance.now() - started;
    for (const due = Math.min(elapsed, seconds * 1000) * rate / 1000; sent < due; ++sent) {
      const room = members[sent % rooms];
      const from = Math.floor(sent / rooms) % perRoom;
      const to = room[(from + 1) % perRoom].id;
      room[from].send(JSON.stringify({ type: 'signal', to, data: { sent: performance.now(), candidate } }));
    }
    if (elapsed > seconds * 1000 && (delays.length === sent || elapsed > seconds * 1000 + 5000)) {
      clearInterval(timer);
      resolve();
    }
  }, tick);
});
const cpu = cpuSeconds(daemon.pid) - cpuBefore;
delays.sort((a, b) => a - b);
console.log(`${sent} signals at ${rate} a second, ${delays.length} arrived; a signal's way: ` +
  `p50 ${percentile(delays, 0.5).toFixed(1)} ms, p99 ${percentile(delays, 0.99).toFixed(1)} ms, ` +
  `max ${delays.at(-1).toFixed(1)} ms; ${(cpu / sent * 1e6).toFixed(0)} µs of CPU each`);
for (const member of members.flat()) member.terminate();
await daemon.stop();
