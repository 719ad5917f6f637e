// A cluster whose way to Redis is slow, and then leads nowhere. It runs in a network namespace of its own: see own_network.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { saysLater, startNode, startRedis } from '../cluster/support.mjs';
import { member } from '../signaling/support/client.mjs';

assert.equal(process.env.OWN_NETWORK, 'inside', 'this test changes the firewall of its network');
process.env.PATH += ':/usr/sbin';

const redisPort = 6379;
const wayPort = 6380;

// Passes connections on to Redis, each octet `delay` ms later, both ways. Not every kernel has netem.
async function startSlowWay() {
  const way = { delay: 0 };
  const server = net.createServer(near => {
    const far = net.connect(redisPort, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on('data', data => { setTimeout(() => to.write(data), way.delay); });
      from.on('error', () => {}).on('close', () => to.destroy());
    }
  });
  await new Promise(resolve => { server.listen(wayPort, '127.0.0.1', resolve); });
  return Object.assign(way, { close: () => server.close() });
}

const nft = (...words) => execFileSync('nft', words);
const resident = pid => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

// How long a request to this node alone takes, in ms.
async function answerTime(node) {
  const begun = performance.now();
  const answer = await fetch(`${node.url}/ice-servers`);
  assert.equal(answer.status, 200);
  await answer.text();
  return performance.now() - begun;
}
async function signalTime(from, to) {
  const begun = performance.now();
  from.say({ type: 'signal', to: to.id, data: begun });
  assert.equal((await to.hear('signal')).data, begun);
  return performance.now() - begun;
}
async function median(count, measure) {
  const times = [];
  for (let i = 0; i < count; ++i) times.push(await measure());
  return times.sort((a, b) => a - b)[Math.floor(count / 2)];
}

test('a slow way to Redis, and none', { timeout: 120_000 }, async t => {
  const redis = await startRedis({ port: redisPort });
  t.after(redis.remove);
  const way = await startSlowWay();
  t.after(way.close);
  const through = { ...redis, url: `redis://127.0.0.1:${wayPort}/0` };
  const [a, b] = await Promise.all(['a.example.org', 'b.example.org'].map(name => startNode(through, name)));
  t.after(a.stop);
  t.after(b.stop);
  await saysLater(a, 'cluster: node b.example.org is there');
  await saysLater(b, 'cluster: node a.example.org is there');
  const ann = await member(a.ws, 'blue', 'Ann');
  const ben = await member(a.ws, 'blue', 'Ben');
  await ann.hear('peer-joined');
  const bob = await member(b.ws, 'blue', 'Bob');
  const met = bob.joined.peers.length;
  for (let i = met; i < 2; ++i) await bob.hear('peer-joined');
  for (const line of [ann, ben]) await line.hear('peer-joined');
  const before = [a, b].map(node => resident(node.pid));

  await t.test('slowed by 500 ms: only what goes through Redis is slow, and nobody is lost', async () => {
    way.delay = 500;
    const alone = await median(9, () => signalTime(ann, ben));
    const asked = await median(9, () => answerTime(a));
    const across = await median(3, () => signalTime(ann, bob));
    t.diagnostic(`signal on one node ${alone.toFixed(1)} ms, /ice-servers ${asked.toFixed(1)} ms, signal across ${across.toFixed(0)} ms`);
    assert.ok(alone < 250 && asked < 250, 'nothing waits for Redis that does not need it');
    assert.ok(across >= 500);
    assert.ok([ann, ben, bob].every(line => line.quiet()));
    way.delay = 0;
  });

  await t.test('cut off: rooms go on among the members of a node, and all agree again afterwards', async () => {
    const marks = [a, b].map(node => node.log().length);
    nft('add', 'table', 'inet', 'cut');
    nft('add', 'chain', 'inet', 'cut', 'out', '{ type filter hook output priority 0; }');
    nft('add', 'rule', 'inet', 'cut', 'out', 'tcp', 'dport', String(wayPort), 'drop');
    nft('add', 'rule', 'inet', 'cut', 'out', 'tcp', 'sport', String(wayPort), 'drop');
    await saysLater(a, 'cluster: Redis is away', marks[0]);
    await saysLater(b, 'cluster: Redis is away', marks[1]);
    const alone = await median(9, () => signalTime(ann, ben));
    const asked = await median(9, () => answerTime(a));
    assert.ok(alone < 250 && asked < 250, `${alone} ms, ${asked} ms`);
    for (let i = 0; i < 2000; ++i) ann.say({ type: 'signal', to: bob.id, data: 'x'.repeat(1000) });
    ben.say({ type: 'signal', to: ann.id, data: 'all was read' });
    await ann.hear('signal');
    const cleo = await member(b.ws, 'blue', 'Cleo');
    assert.equal((await bob.hear('peer-joined')).peer.id, cleo.id);
    nft('delete', 'table', 'inet', 'cut');
    for (const line of [ann, ben]) assert.equal((await within(30_000, 'Cleo', line.hear('peer-joined'))).peer.id, cleo.id);
    // Nobody was told to be lost, nobody came twice; of what was said much has arrived, and the newest of it.
    cleo.close();
    for (const line of [ann, ben]) assert.equal((await line.hear('peer-left')).id, cleo.id);
    let last;
    do last = await bob.hear(); while (last.type === 'signal');
    assert.equal(last.id, cleo.id);
    const grown = [a, b].map((node, i) => resident(node.pid) - before[i]);
    t.diagnostic(`resident memory grew by ${grown.join(' and ')} kB`);
    // AddressSanitizer keeps what was freed.
    const isSanitized = readFileSync(`/proc/${a.pid}/maps`, 'utf8').includes('libasan');
    if (!isSanitized) assert.ok(Math.max(...grown) < 32 * 1024);
  });
  for (const line of [ann, ben, bob]) line.close();
});
