// Tests a cluster of three machines, with Redis and HAProxy on others, and a call of two people behind
// symmetric NATs whom HAProxy has sent to different nodes: what the call survives, and what others in the
// room are told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipReason } from '../browser/support/browser.mjs';
import { CallPage, checker } from '../browser/support/call_page.mjs';
import { temporaryDirectory } from '../browser/support/cleanup.mjs';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { clusterSecret, hasHaproxy, runCtl, saysLater, startHaproxy, startRedis, until } from '../cluster/support.mjs';
import { connect, member } from '../signaling/support/client.mjs';
import { startBrowserOn } from './support/call.mjs';
import { addMachine, inside, makeLab, publicNetwork } from './support/lab.mjs';

const letters = ['a', 'b', 'c'];
const adminPort = 9641;
const signalingPort = 8080;

const configuration = (node, redis, proxy) => `\
realm: example.org
listen: [udp://${node.address}:3478, tcp://${node.address}:3478]
peers: {allow: [${publicNetwork}]}
signaling: {listen: http://${node.address}:${signalingPort}, access: open, public_host: ${node.address}, trusted_proxies: [${proxy.address}]}
admin: {listen: ["unix:${node.socket}", "http://${node.address}:${adminPort}"]}
cluster: {redis: "redis://${redis.address}:6379/0", secret: ${clusterSecret}, node: ${node.name}}
`;

test('a call in a cluster on three machines', { skip: skipReason() || !hasHaproxy, timeout: 240_000 }, async t => {
  const homes = makeLab();
  for (const home of [homes.a, homes.b]) home.setNat('symmetric');
  const folder = temporaryDirectory('nodes');
  t.after(folder.remove);
  const machines = letters.map((letter, i) => ({
    ...addMachine(`node-${letter}`, `203.0.113.${21 + i}`), letter, name: `${letter}.example.org`, port: signalingPort, adminPort,
    socket: `${folder.path}/${letter}.sock`,
  }));
  const redisMachine = addMachine('redis', '203.0.113.31');
  const proxyMachine = addMachine('haproxy', '203.0.113.32');
  const redis = await startRedis({ port: 6379, address: redisMachine.address, prefix: inside(redisMachine.namespace) });
  t.after(redis.remove);
  const nodes = await Promise.all(machines.map(async machine => {
    const daemon = await startTurnpike(configuration(machine, redisMachine, proxyMachine), inside(machine.namespace));
    t.after(daemon.stop);
    return { ...machine, ...daemon, ws: `ws://${machine.address}:${signalingPort}/ws` };
  }));
  for (const node of nodes)
    for (const other of nodes)
      if (other !== node) await saysLater(node, `cluster: node ${other.name} is there`);
  const proxy = await startHaproxy(machines, { at: `${proxyMachine.address}:80`, prefix: inside(proxyMachine.namespace) });
  t.after(proxy.stop);

  const origin = `http://${proxyMachine.address}`;
  const trust = `--unsafely-treat-insecure-origin-as-secure=${origin}`; // with the camera
  const browsers = await Promise.all(['host-a1', 'host-b1'].map(host => startBrowserOn(host, trust)));
  t.after(() => Promise.all(browsers.map(browser => browser.close())));
  const ann = await CallPage.open(browsers[0], `${origin}/#room=blue`);
  const bob = await CallPage.open(browsers[1], `${origin}/#room=blue`);
  const nodeOf = async page => {
    const { value } = (await page.page.cookies()).find(cookie => cookie.name === 'NODE');
    return nodes[letters.indexOf(value)];
  };
  const check = checker(t, { log: () => nodes.map(node => node.log()).join('\n') }, () => [ann, bob]);
  const both = body => Promise.all([body(ann, 'Bob'), body(bob, 'Ann')]);
  const pictures = (count, milliseconds) => both((page, name) => page.untilMore(name, 'frames', count, { within: milliseconds }));

  let nodeOfAnn;
  let nodeOfBob;
  let third;
  let watcher;
  const told = []; // to the watcher, of who comes and goes
  let ids;
  await check('they come to different nodes, and only the relay connects them', async () => {
    await ann.join('Ann');
    await bob.join('Bob');
    [nodeOfAnn, nodeOfBob] = await both(nodeOf);
    assert.notEqual(nodeOfAnn, nodeOfBob);
    third = nodes.find(node => node !== nodeOfAnn && node !== nodeOfBob);
    t.diagnostic(`Ann is at ${nodeOfAnn.name}, Bob at ${nodeOfBob.name}`);
    await both((page, name) => page.untilTile(name, { state: 'connected', path: 'relay', transport: 'udp' }, { within: 20_000 }));
    await pictures(20, 20_000);
    ids = await both(page => page.self());
    watcher = await member(third.ws, 'blue', 'Watcher');
    t.after(() => watcher.close());
    watcher.on('message', data => {
      const { type, peer, id } = JSON.parse(data);
      if (type === 'peer-joined') told.push(`joined ${peer.id}`);
      if (type === 'peer-left') told.push(`left ${id}`);
    });
  });

  await check('a node is killed: who was there is back within 5 s, and in the call within 10', async () => {
    const gone = await member(nodeOfBob.ws, 'blue', 'Gone');
    await until('the watcher to know the third', () => told.includes(`joined ${gone.id}`));
    told.length = 0;
    const offline = bob.until('its node to be gone', () => document.body.dataset.line === 'offline', { within: 8000 });
    process.kill(nodeOfBob.pid, 'SIGKILL');
    const killed = performance.now();
    const since = () => Math.round(performance.now() - killed);
    await offline;
    await bob.until('the line', () => document.body.dataset.line === 'online', { within: 5000 });
    const back = since();
    await pictures(20, 10_000);
    const seen = since();
    t.diagnostic(`back in the room after ${back} ms, pictures both ways after ${seen} ms`);
    assert.ok(back < 5000, `back after ${back} ms`);
    assert.ok(seen < 10_000, `pictures after ${seen} ms`);
    assert.deepEqual(await both(page => page.self()), ids, 'both have kept their ids');
    await until('the watcher to know that one is lost', () => told.length > 0);
    t.diagnostic(`the others know after ${since()} ms that one has not come back`);
    assert.ok(since() < 15_000);
    assert.deepEqual(told, [`left ${gone.id}`], 'and hear of nobody else');
  });

  await check('a node drains: nobody new comes to it, and the call goes on until they part', async () => {
    const draining = nodeOfAnn;
    const others = nodes.filter(node => node !== draining && node !== nodeOfBob);
    await runCtl(draining.socket, 'drain', '--deadline', '120s');
    const comesTo = async () => (await fetch(`${origin}/ice-servers`)).headers.get('set-cookie')?.match(/NODE=(\w)/)[1];
    const named = async () => {
      const { iceServers } = await (await fetch(`http://${third.address}:${signalingPort}/ice-servers`)).json();
      return iceServers.flatMap(entry => entry.urls).some(url => url.includes(draining.address));
    };
    await until('HAProxy to know it', async () => {
      for (let i = 0; i < 4; ++i) if (await comesTo() === draining.letter) return false;
      return true;
    });
    await until('the other node not to name it', async () => !await named());
    for (let i = 0; i < 20; ++i) {
      assert.equal(await comesTo(), third.letter);
      assert.ok(!await named());
    }
    const before = performance.now();
    await pictures(60, 20_000);
    t.diagnostic(`60 pictures both ways in ${Math.round(performance.now() - before)} ms of the drain`);
    assert.equal(await ann.page.evaluate(() => document.body.dataset.line), 'online');
    assert.equal(told.length, 1, 'nobody has come or gone since');
    await ann.click('leave');
    await bob.click('leave');
    await until('the watcher to know that both have left', () => told.length === 3);
    assert.deepEqual(told.slice(1).sort(), ids.map(id => `left ${id}`).sort());
    await saysLater(draining, '--- ended: 0 ---', 0, 30_000);
    assert.equal(others.length, 1);
    const late = await connect(third.ws);
    await late.request({ type: 'join', room: 'blue', name: 'Late' });
    late.close();
  });
});
