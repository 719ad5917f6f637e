// Tests a relayed call of two people who came to different nodes of a cluster, and what it survives.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasHaproxy, saysLater, startHaproxy, startNode, startRedis } from '../cluster/support.mjs';
import { skipReason, startBrowser } from './support/browser.mjs';
import { CallPage, checker } from './support/call_page.mjs';

// The node's /ice-servers names its own address, since names such as a.example.org do not exist here.
const start = (redis, name) => startNode(redis, name, {
  signaling: ['trusted_proxies: [127.0.0.1]', 'access: open', 'public_host: 127.0.0.1'],
  more: ['limits: {unauthenticated_per_second: 0}', 'admin: {listen: "http://127.0.0.1:0"}'],
});

test('a call between members on two nodes', { skip: skipReason() || !hasHaproxy, timeout: 120_000 }, async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const nodes = await Promise.all(['a.example.org', 'b.example.org'].map(name => start(redis, name)));
  for (const node of nodes) t.after(() => node.stop());
  await Promise.all(nodes.map((node, i) => saysLater(node, `cluster: node ${nodes[1 - i].name} is there`)));
  const proxy = await startHaproxy(nodes);
  t.after(proxy.stop);
  const [first, second] = await Promise.all([startBrowser(), startBrowser()]);
  t.after(() => Promise.all([first.close(), second.close()]));
  const url = `http://127.0.0.1:${proxy.port}/#room=blue`;
  const ann = await CallPage.open(first, url);
  const bob = await CallPage.open(second, url);
  const check = checker(t, { log: () => nodes.map(node => node.log()).join('\n') }, () => [ann, bob]);
  const both = body => Promise.all([body(ann, 'Bob'), body(bob, 'Ann')]);
  const inCall = (values, options) =>
    both((page, name) => page.untilTile(name, { state: 'connected', ...values }, options));
  let ids;

  await check('they meet, and only the relay connects them', async () => {
    await ann.join('Ann');
    await bob.join('Bob');
    await both(page => page.untilCount(2));
    await ann.click('open-settings');
    await ann.click('relay-only');
    await inCall({ path: 'relay', transport: 'udp' }, { within: 20_000 });
    await both((page, name) => page.untilMore(name, 'frames', 20));
    ids = await both(page => page.self());
  });

  await check('a node is killed: its member is back within 5 s, and the call within 10', async () => {
    const offline = [ann, bob].map(page => page.until('its node to be gone', () => document.body.dataset.line === 'offline',
      { within: 8000 }).then(() => page, () => null));
    await nodes[1].kill();
    const killed = performance.now();
    const lost = (await Promise.any(offline.map(async page => await page ?? Promise.reject(new Error('nobody lost its node')))));
    await lost.until('the line', () => document.body.dataset.line === 'online', { within: 5000 });
    const back = performance.now() - killed;
    assert.ok(back < 5000, `back after ${Math.round(back)} ms`);
    await both((page, name) => page.untilMore(name, 'frames', 20, { within: 10_000 }));
    const seen = performance.now() - killed;
    assert.ok(seen < 10_000, `pictures after ${Math.round(seen)} ms`);
    t.diagnostic(`back in the room after ${Math.round(back)} ms, pictures both ways after ${Math.round(seen)} ms`);
    assert.deepEqual(await both(page => page.self()), ids, 'both have kept their ids');
    assert.deepEqual(await Promise.all([ann, bob].map(page => page.page.$eval('#count', ({ dataset }) => dataset.count))), ['2', '2']);
  });
});
