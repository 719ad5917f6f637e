// Measures a cluster; it is no test. Three nodes, ROOMS rooms of three members each, every member on another node:
//   node tests/cluster/load.mjs [ROOMS] [SIGNALS_PER_SECOND] [SECONDS]
// It prints how long signals took from node to node, and what the rooms take in Redis. TURNPIKE names the daemon.
import { member } from '../signaling/support/client.mjs';
import { startCluster, startRedis } from './support.mjs';

const [rooms, rate, seconds] = [1000, 300, 10].map((otherwise, i) => Number(process.argv[2 + i] ?? otherwise));
const names = ['a', 'b', 'c'].map(name => `${name}.example.org`);
const memory = async redis => Number(/used_memory:(\d+)/.exec(await redis.command('INFO', 'memory'))[1]);

const redis = await startRedis();
const nodes = await startCluster(redis, names, {
  signaling: ['connections: 100000', 'connections_per_address: 100000', 'bytes_per_second_per_address: 0',
    'rooms_per_address: 1000000', 'credentials_per_second: 1000000'],
});
const empty = await memory(redis);
console.log(`${rooms} rooms of 3 on 3 nodes`);

// Messages are read as they come, since what is awaited one by one would measure this process.
const taken = [];
const members = [];
let begun = performance.now();
for (let first = 0; first < rooms; first += 50) {
  const batch = Array.from({ length: Math.min(50, rooms - first) }, (_, i) => nodes.map(node => member(node.ws, `room-${first + i}`, 'Member')));
  members.push(...await Promise.all(batch.map(room => Promise.all(room))));
}
console.log(`joined in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
for (const line of members.flat())
  line.on('message', data => {
    const message = JSON.parse(data);
    if (message.type === 'signal') taken.push(performance.now() - message.data);
  });
await new Promise(resolve => { setTimeout(resolve, 2000); }); // the last word of who has joined

let sent = 0;
begun = performance.now();
while (performance.now() - begun < seconds * 1000) {
  const due = (performance.now() - begun) / 1000 * rate;
  for (; sent < due; ++sent) {
    const room = members[Math.floor(Math.random() * rooms)];
    const from = Math.floor(Math.random() * 3);
    room[from].say({ type: 'signal', to: room[(from + 1) % 3].id, data: performance.now() });
  }
  await new Promise(resolve => { setTimeout(resolve, 1); });
}
const patience = performance.now() + 10_000;
while (taken.length < sent && performance.now() < patience) await new Promise(resolve => { setTimeout(resolve, 10); });
taken.sort((a, b) => a - b);
const at = part => taken[Math.min(taken.length - 1, Math.floor(taken.length * part))]?.toFixed(1);
console.log(`${taken.length} of ${sent} signals arrived: median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`);
const used = await memory(redis) - empty;
console.log(`in Redis: ${(used / 1024).toFixed(0)} kB, ${(used / rooms / 3).toFixed(0)} octets a member`);

for (const line of members.flat()) line.terminate();
await Promise.all(nodes.map(node => node.stop()));
await redis.remove();
