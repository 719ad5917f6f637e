// Tests more members than nodes write to Redis, or read from it, in one portion.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { WebSocket, member } from '../signaling/support/client.mjs';
import { saysLater, startCluster, startNode, startRedis, until } from './support.mjs';

const members = 640;
const roomsOfEach = 16;
const together = 8; // members share their rooms
const unlimited = {
  signaling: ['connections: 100000', 'connections_per_address: 100000', 'bytes_per_second_per_address: 0',
    'rooms_per_address: 1000000', 'credentials_per_second: 1000000'],
};
const roomName = (group, i) => `${'😀'.repeat(50)} ${group} ${i}`;

// A Socket.IO client that is in all rooms of its group when this resolves.
async function joinAll(node, number) {
  const socket = new WebSocket(`${node.ws.replace('/ws', '')}/socket.io/?EIO=4&transport=websocket`);
  let acknowledged = 0;
  await within(60_000, `member ${number}`, new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', data => {
      const text = data.toString();
      if (text === '2') socket.send('3');
      else if (text.startsWith('0')) socket.send('40');
      else if (text.startsWith('40'))
        for (let i = 0; i < roomsOfEach; ++i)
          socket.send(`42${i}${JSON.stringify(['join_room', roomName(Math.floor(number / together), i)])}`);
      else if (text.startsWith('43') && ++acknowledged === roomsOfEach) resolve();
    });
  }));
  return socket;
}

test('rooms with more members than one portion holds', { timeout: 300_000 }, async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const [a, b] = await startCluster(redis, ['a.example.org', 'b.example.org'], unlimited);
  t.after(a.stop);
  t.after(b.stop);
  const mark = a.log().length;
  await redis.stop();
  await saysLater(a, 'cluster: Redis is away', mark);
  const sockets = [];
  for (let first = 0; first < members; first += 40)
    sockets.push(...await Promise.all(Array.from({ length: 40 }, (_, i) => joinAll(a, first + i))));

  const presentAt = async (node, group, i) => {
    const line = await member(node.ws, roomName(group, i), 'Visitor');
    await line.request({ type: 'leave' });
    line.close();
    return line.joined.peers.filter(peer => peer.name !== 'Visitor').length;
  };
  const allAt = node => until(`${node.name} to know all`, async () => {
    for (let group = 0; group < members / together; ++group)
      if (await presentAt(node, group, group % roomsOfEach) !== together) return false;
    return true;
  }, 60_000);
  const begun = performance.now();
  await redis.start();
  await allAt(b);
  t.diagnostic(`b knows all ${((performance.now() - begun) / 1000).toFixed(1)} s after Redis is back`);
  assert.equal(await redis.command('HLEN', 'turnpike:members:a.example.org'), String(members + 2));
  const size = Number(await redis.command('MEMORY', 'USAGE', 'turnpike:members:a.example.org', 'SAMPLES', '0'));
  t.diagnostic(`in Redis: ${size} octets`);
  assert.ok(size > 2 << 20, 'more than one portion');

  await t.test('changes are applied while a node reads the members', async () => {
    const starting = startNode(redis, 'c.example.org', unlimited);
    for (const socket of sockets.splice(0, together)) socket.close(); // the first group leaves
    const c = await starting;
    t.after(c.stop);
    await until('c to know that they have left', async () => await presentAt(c, 0, 0) === 0 && await presentAt(c, 1, 0) === together);
  });
  for (const socket of sockets) socket.terminate();
});
