// Measures a cluster; this is not a test. There are three nodes, and ROOMS rooms of three members, each on
// another node:
//   node tests/cluster/load.mjs [ROOMS] [SIGNALS_PER_SECOND] [SECONDS]
// It prints how long signals took from node to node, and what the rooms take in Redis. TURNPIKE names the daemon. The
// members of each node are in a process of their own, so that descriptors suffice for 15,000 rooms.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { member } from '../signaling/support/client.mjs';
import { resident, startCluster, startRedis } from './support.mjs';

const sleep = milliseconds => new Promise(resolve => { setTimeout(resolve, milliseconds); });
const now = () => performance.timeOrigin + performance.now(); // the same in all processes

// This process has the members of one node. It sends 'joined' with their ids, gets the ids of another node's
// members, room by room, sends them as many signals a second as it is told, and reports how long the signals
// to its own members took.
async function beMembers(ws, rooms) {
  const members = [];
  for (let first = 0; first < rooms; first += 50)
    members.push(...await Promise.all(Array.from({ length: Math.min(50, rooms - first) }, (_, i) => member(ws, `room-${first + i}`, 'Member'))));
  const taken = [];
  for (const line of members)
    line.on('message', data => {
      const message = JSON.parse(data);
      if (message.type === 'signal') taken.push(now() - message.data);
    });
  process.send(members.map(line => line.id));
  const [{ others, rate, seconds }] = await once(process, 'message');
  let sent = 0;
  const begun = now();
  while (now() - begun < seconds * 1000) {
    for (const due = (now() - begun) / 1000 * rate; sent < due; ++sent) {
      const room = Math.floor(Math.random() * rooms);
      members[room].say({ type: 'signal', to: others[room], data: now() });
    }
    await sleep(1);
  }
  await sleep(5000); // the last ones
  process.send({ sent, taken });
  await once(process, 'message');
  process.exit();
}

async function measure() {
  const [rooms, rate, seconds] = [1000, 300, 10].map((otherwise, i) => Number(process.argv[2 + i] ?? otherwise));
  const names = ['a', 'b', 'c'].map(name => `${name}.example.org`);
  const redis = await startRedis();
  const nodes = await startCluster(redis, names, {
    signaling: ['connections: 100000', 'connections_per_address: 100000', 'bytes_per_second_per_address: 0',
      'rooms_per_address: 1000000', 'credentials_per_second: 1000000'],
  });
  // All that Redis has taken for its data, of which the keys are a part.
  const memory = async () => Number(/used_memory_dataset:(\d+)/.exec(await redis.command('INFO', 'memory'))[1]);
  const memoryBefore = await memory();
  console.log(`${rooms} rooms of 3 on 3 nodes`);
  const begun = now();
  const crowds = nodes.map(node => fork(fileURLToPath(import.meta.url), ['--members', node.ws, String(rooms)]));
  const ids = (await Promise.all(crowds.map(crowd => once(crowd, 'message')))).map(([list]) => list);
  console.log(`joined in ${((now() - begun) / 1000).toFixed(1)} s`);
  await sleep(2000); // the last word of who has joined
  crowds.forEach((crowd, i) => crowd.send({ others: ids[(i + 1) % 3], rate: rate / 3, seconds }));
  const results = (await Promise.all(crowds.map(crowd => once(crowd, 'message')))).map(([result]) => result);
  const sent = results.reduce((sum, result) => sum + result.sent, 0);
  const taken = results.flatMap(result => result.taken).sort((x, y) => x - y);
  const at = part => taken[Math.min(taken.length - 1, Math.floor(taken.length * part))]?.toFixed(1);
  console.log(`${taken.length} of ${sent} signals arrived: median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`);
  const sizes = await Promise.all(names.map(name => redis.command('MEMORY', 'USAGE', `turnpike:members:${name}`, 'SAMPLES', '0')));
  const used = sizes.reduce((sum, size) => sum + Number(size), 0);
  console.log(`in Redis: ${(used / 1024).toFixed(0)} kB, ${(used / rooms / 3).toFixed(0)} octets a member; ` +
    `its data grew by ${((await memory() - memoryBefore) / 1024).toFixed(0)} kB`);
  const counts = await Promise.all(names.map(name => redis.command('HLEN', `turnpike:members:${name}`)));
  console.log(`members in Redis: ${counts.map(count => count - 2).join(' + ')}; daemons: ` +
    `${nodes.map(node => `${(resident(node.pid) / 1024).toFixed(0)} MB`).join(', ')}`);
  for (const crowd of crowds) crowd.send('end');
  await Promise.all(nodes.map(node => node.stop()));
  await redis.remove();
}

if (process.argv[2] === '--members') await beMembers(process.argv[3], Number(process.argv[4]));
else await measure();
