// Tests two nodes behind HAProxy, with the README's configuration.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { connect, member } from '../signaling/support/client.mjs';
import { hasHaproxy, startCluster, startHaproxy, startRedis, until } from './support.mjs';

test('HAProxy sends members to different nodes, and after one has ended to the other one', { skip: !hasHaproxy }, async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const nodes = await startCluster(redis, ['a.example.org', 'b.example.org'], {
    signaling: ['trusted_proxies: [127.0.0.1]', 'access: open'], more: ['admin: {listen: "http://127.0.0.1:0"}'],
  });
  const proxy = await startHaproxy(nodes);
  t.after(proxy.stop);

  // With leastconn, the second client goes to the node without the first one.
  const ws = `ws://127.0.0.1:${proxy.port}/ws`;
  const ann = await member(ws, 'blue', 'Ann');
  const bob = await member(ws, 'blue', 'Bob');
  assert.equal((await ann.hear('peer-joined')).peer.id, bob.id);
  bob.say({ type: 'signal', to: ann.id, data: 'hello' });
  assert.equal((await ann.hear('signal')).data, 'hello');

  // One of the two has lost its node. HAProxy sends it to the other node, where it comes back to its room.
  await nodes[1].kill();
  const lost = await within(20_000, 'one of them to lose its node', Promise.race([ann, bob].map(line => line.ended.then(() => line))));
  const stays = lost === ann ? bob : ann;
  await until('HAProxy to see that the node is gone', async () => {
    const line = await member(ws, 'green', 'Probe').catch(() => null);
    line?.close();
    return line;
  });
  const again = await connect(ws);
  const [joined] = await again.request({ type: 'resume', resume: lost.joined.resume });
  assert.equal(joined.self, lost.id);
  again.say({ type: 'signal', to: stays.id, data: 'back' });
  assert.equal((await stays.hear('signal')).data, 'back');
  for (const line of [again, stays]) line.close();
  assert.equal(await nodes[0].stop(), 0);
});
