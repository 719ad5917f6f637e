// Tests how far a burst on all nodes at once exceeds the limit of a room, and that it is over afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../signaling/support/client.mjs';
import { startCluster, startRedis, until } from './support.mjs';

const limit = 5;
const joining = 60;

test('of many who join a room at once on three nodes each node lets in as many as there are places', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const nodes = await startCluster(redis, ['a', 'b', 'c'].map(letter => `${letter}.example.org`),
    { signaling: [`members_per_room: ${limit}`, 'credentials_per_second: 1000000'] });
  for (const node of nodes) t.after(node.stop);
  const join = (line, i) => line.request({ type: 'join', room: 'blue', name: `Member ${i}` })
    .then(([joined]) => Object.assign(line, { joined }), error => error.code);
  const lines = await Promise.all(Array.from({ length: joining }, (_, i) => connect(nodes[i % nodes.length].ws)));
  const results = await Promise.all(lines.map(join));
  const members = results.filter(result => result.joined);
  t.diagnostic(`of ${joining} at once on ${nodes.length} nodes ${members.length} were let in, with a limit of ${limit}`);
  assert.ok(members.length >= limit && members.length <= nodes.length * limit, `${members.length}`);
  assert.deepEqual(new Set(results.filter(result => !result.joined)), new Set(['room-full']));

  // Each one hears of all others, and nobody is put out.
  for (const line of members)
    for (let known = line.joined.peers.length + 1; known < members.length; ++known) await line.hear('peer-joined');
  const late = await Promise.all(nodes.map(node => connect(node.ws)));
  for (const line of late) assert.equal(await join(line, 'Late'), 'room-full');
  // There is no place before fewer than the limit are left.
  const leaving = members.splice(0, members.length - limit);
  for (const line of leaving) {
    for (const other of late) assert.equal(await join(other, 'Late'), 'room-full');
    await line.request({ type: 'leave' });
  }
  for (const line of late) assert.equal(await join(line, 'Late'), 'room-full');
  await members.pop().request({ type: 'leave' });
  await until('there to be a place', async () => typeof await join(late[1], 'Late') !== 'string');
  for (const line of [...lines, ...late]) line.close();
});
