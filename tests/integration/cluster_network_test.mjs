// Tests a cluster of three nodes whose Redis is slow, killed, stopped, and unreachable, while a call is
// relayed and members continue to send. The test runs in its own network namespace, see own_network. Each
// fault lasts OUTAGE_SECONDS, which is longer than a node waits for an answer from Redis.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { startCall } from '../cluster/relayed_call.mjs';
import { clusterSecret, membersAt, portOf, resident, saysLater, startNode, startRedis, udpPort, until } from '../cluster/support.mjs';
import { member } from '../signaling/support/client.mjs';

assert.equal(process.env.OWN_NETWORK, 'inside', 'this test changes the firewall of its network');
process.env.PATH += ':/usr/sbin';

const seconds = Number(process.env.OUTAGE_SECONDS ?? 8);
const redisPort = 6379;
const wayPort = 6380;
const soon = 50; // ms, the limit for what does not need Redis, on a machine that is not busy
// ms; an answer that needs Redis takes longer while Redis is slow, and never arrives during the other faults
const waits = 400;

const sleep = milliseconds => new Promise(resolve => { setTimeout(resolve, milliseconds); });
const nft = (...words) => execFileSync('nft', words);

// Passes connections on to Redis and delays each octet by `delay` ms in both directions. Netem is not used,
// because not every kernel has it.
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

// Asks all of them every 50 ms, even when earlier questions have no answer yet, until stop() is called.
// stop() resolves to the duration of each answer in ms, by name. An answer that takes longer than 10 s counts
// as 10 s.
function keepAsking(asks) {
  const asked = Object.entries(asks).map(([name, ask]) => ({ name, ask, times: [] }));
  const timer = setInterval(() => {
    for (const { ask, times } of asked) {
      const begun = performance.now();
      times.push(within(10_000, 'an answer', ask()).then(() => performance.now() - begun, () => 10_000));
    }
  }, 50);
  return async () => {
    clearInterval(timer);
    return Object.fromEntries(await Promise.all(asked.map(async ({ name, times }) => [name, await Promise.all(times)])));
  };
}

function bindingAsker(port) {
  const socket = createSocket('udp4');
  const waiting = new Map();
  let last = 0;
  socket.on('message', octets => waiting.get(octets.readUInt32BE(16))?.());
  const ask = () => new Promise(resolve => {
    const request = Buffer.alloc(20);
    request.writeUInt16BE(1);
    request.writeUInt32BE(0x2112a442, 4);
    request.writeUInt32BE(++last, 16);
    waiting.set(last, resolve);
    socket.send(request, port, '127.0.0.1');
  });
  return { ask, close: () => socket.close() };
}

// Returns { ask, close }, where ask() sends a signal from one member to another and resolves when it arrives.
function signalAsker(from, to) {
  const waiting = new Map();
  let last = 0;
  const listener = data => {
    const message = JSON.parse(data);
    if (message.type === 'signal') waiting.get(message.data)?.();
  };
  to.on('message', listener);
  return {
    ask: () => new Promise(resolve => {
      waiting.set(++last, resolve);
      from.say({ type: 'signal', to: to.id, data: last });
    }),
    close: () => to.off('message', listener),
  };
}

const healthAsker = port => async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.equal(answer.status, 200);
  await answer.text();
};

test(`Redis is away for ${seconds} s`, { timeout: 900_000 }, async t => {
  const redis = await startRedis({ port: redisPort });
  t.after(redis.remove);
  const way = await startSlowWay();
  t.after(way.close);
  const through = { ...redis, url: `redis://127.0.0.1:${wayPort}/0` };
  const names = ['a', 'b', 'c'].map(letter => `${letter}.example.org`);
  const nodes = await Promise.all(names.map(name => startNode(through, name, {
    more: ['admin: {listen: "http://127.0.0.1:0"}'],
    signaling: ['access: open', 'public_host: 127.0.0.1', 'credentials_per_second: 1000000', 'bytes_per_second_per_address: 0'],
  })));
  for (const node of nodes) t.after(node.stop);
  for (const node of nodes)
    for (const other of names) if (other !== node.name) await saysLater(node, `cluster: node ${other} is there`);
  // This server does not use Redis. If its answers are late, the machine is the cause.
  const alone = await startTurnpike('listen: ["udp://127.0.0.1:0"]\nadmin: {listen: "http://127.0.0.1:0"}\n');
  t.after(alone.stop);
  const aloneAdminPort = portOf(alone.log().match(/admin: listening on (\S+)/)[1]);

  const [a, b, c] = nodes;
  const ann = await member(a.ws, 'blue', 'Ann');
  const ben = await member(a.ws, 'blue', 'Ben');
  const bob = await member(b.ws, 'blue', 'Bob');
  const agree = async wanted => {
    let seen;
    await until('agreement', async () => {
      seen = await Promise.all(nodes.map(node => membersAt(node, 'blue')));
      return seen.every(one => one.join() === wanted);
    }, 40_000).catch(() => {
      throw new Error(`not ${wanted}, but ${seen.join(' and ')}\n${nodes.map(node => node.log()).join('\n')}`);
    });
  };
  await agree('Ann,Ben,Bob');
  // A member is never reported to join twice or to leave twice, and a member that stays is never reported as
  // lost.
  const told = new Map([[ann, []], [bob, []]]);
  for (const [line, list] of told)
    line.on('message', data => {
      const { type, peer, id } = JSON.parse(data);
      if (type === 'peer-joined') list.push(`+${peer.id}`);
      if (type === 'peer-left') list.push(`-${id}`);
    });
  const checkTold = (line, stay) => {
    const isHere = new Map(); // for each member that was reported, whether it is in the room
    for (const word of told.get(line)) {
      const [joins, id] = [word[0] === '+', word.slice(1)];
      assert.ok(!stay.includes(id), `${id} has stayed: ${word}`);
      assert.notEqual(isHere.get(id), joins, `${word} in ${told.get(line)}`);
      isHere.set(id, joins);
    }
  };
  const isSanitized = readFileSync(`/proc/${a.pid}/maps`, 'utf8').includes('libasan');

  const faults = {
    'slowed by 500 ms': {
      begin() { way.delay = 500; },
      end() { way.delay = 0; },
      isNoticed: false,
    },
    'killed': { begin: () => redis.stop(), end: () => redis.start() },
    'stopped': { begin: () => redis.pause(), end: () => redis.resume() },
    'cut off': {
      begin() {
        nft('add', 'table', 'inet', 'cut');
        nft('add', 'chain', 'inet', 'cut', 'out', '{ type filter hook output priority 0; }');
        for (const direction of ['dport', 'sport']) nft('add', 'rule', 'inet', 'cut', 'out', 'tcp', direction, String(wayPort), 'drop');
      },
      end: () => nft('delete', 'table', 'inet', 'cut'),
    },
  };
  const credentialsOf = async node => {
    const { iceServers } = await (await fetch(`${node.url}/ice-servers`)).json();
    return iceServers.find(entry => entry.credential);
  };
  const sideAt = async node => ({ port: udpPort(node), ...await credentialsOf(node) });

  for (const [what, { begin, end, isNoticed = true }] of Object.entries(faults)) {
    await t.test(`${what}: calls and members of one node do not notice, and all agree afterwards`, async t => {
      const cleo = await member(c.ws, 'blue', 'Cleo');
      t.after(() => cleo.close());
      await agree('Ann,Ben,Bob,Cleo');
      for (const list of told.values()) list.length = 0;
      const finish = await startCall([await sideAt(a), await sideAt(b)]);
      const askers = [bindingAsker(udpPort(a)), bindingAsker(udpPort(alone)), signalAsker(ann, ben)];
      const before = nodes.map(node => resident(node.pid));
      const marks = nodes.map(node => node.log().length);

      await begin();
      const stop = keepAsking({
        'Binding': askers[0].ask, 'Binding of the other server': askers[1].ask, '/healthz': healthAsker(a.adminPort),
        '/healthz of the other server': healthAsker(aloneAdminPort), 'signal on one node': askers[2].ask,
      });
      await sleep(1000);
      const dora = await member(b.ws, 'blue', 'Dora'); // one member joins and one leaves during the fault
      t.after(() => dora.close());
      cleo.close();
      if (!isNoticed) {
        const begun = performance.now();
        bob.say({ type: 'signal', to: ann.id, data: 'across' });
        while ((await ann.hear()).data !== 'across');
        t.diagnostic(`a signal to another node took ${Math.round(performance.now() - begun)} ms`);
      }
      await sleep(seconds * 1000 - 1000);
      if (isNoticed) for (const [i, node] of nodes.entries()) assert.ok(node.log().slice(marks[i]).includes('cluster: Redis is away'));
      for (let i = 0; i < 2000; ++i) ann.say({ type: 'signal', to: bob.id, data: 'x'.repeat(500) });
      const times = await stop();
      await end();
      const ended = performance.now();
      await agree('Ann,Ben,Bob,Dora');
      t.diagnostic(`all nodes agree ${((performance.now() - ended) / 1000).toFixed(1)} s after it`);
      const result = await finish();

      t.diagnostic(`datagrams: ${result.map(one => `${one.arrived} of ${one.sent}, longest pause ${one.longestGap} ms`).join('; ')}`);
      for (const one of result) assert.equal(one.arrived, one.sent);
      for (const [name, list] of Object.entries(times)) {
        const sorted = [...list].sort((x, y) => x - y);
        const late = list.filter(time => time > soon).length;
        t.diagnostic(`${name}: ${list.length} answers, median ${sorted[list.length >> 1].toFixed(1)} ms, longest ${sorted.at(-1).toFixed(0)} ms, ${late} over ${soon} ms`);
      }
      // Whatever waits for Redis answers half a second later than the other server, each time. A machine that is busy with
      // something else holds one of the two up for a moment now and then.
      for (const [name, other] of [['Binding', 'Binding'], ['/healthz', '/healthz'], ['signal on one node', '/healthz']]) {
        const late = times[name].filter((time, i) => time > times[`${other} of the other server`][i] + waits).length;
        assert.ok(late <= 0.2 * times[name].length, `${name}: ${late} of ${times[name].length} answers`);
      }
      const grown = nodes.map((node, i) => resident(node.pid) - before[i]);
      t.diagnostic(`resident memory: ${nodes.map((node, i) => `${before[i]} kB, then ${grown[i]} more`).join('; ')}`);
      // AddressSanitizer keeps freed memory for a time, so the resident size says nothing.
      if (!isSanitized) assert.ok(Math.max(...grown) < 32 << 10);
      checkTold(ann, [ben.id, bob.id]);
      checkTold(bob, [ann.id, ben.id]);
      for (const asker of askers) asker.close();
      dora.close();
      await agree('Ann,Ben,Bob');
    });
  }
  for (const line of [ann, ben, bob]) line.close();
});

// Starts a server that only relays. It finds this text in that file of /etc.
async function startWithFile(t, file, text, redisUrl) {
  const folder = temporaryDirectory('etc');
  t.after(folder.remove);
  writeFileSync(`${folder.path}/file`, text);
  const mount = ['unshare', '--mount', 'sh', '-c', `mount --bind ${folder.path}/file ${file} && exec "$@"`, 'sh'];
  const node = await startTurnpike(
    `listen: ["udp://127.0.0.1:0"]\ncluster: {redis: "${redisUrl}", secret: ${clusterSecret}, node: a.example.org}\n`, mount);
  t.after(node.stop);
  return node;
}

test('when one of Redis\'s two addresses does not answer, a node uses the other', async t => {
  const port = 6390;
  const redis = await startRedis({ port });
  t.after(redis.remove);
  nft('add', 'table', 'inet', 'dead');
  nft('add', 'chain', 'inet', 'dead', 'out', '{ type filter hook output priority 0; }');
  nft('add', 'rule', 'inet', 'dead', 'out', 'ip6', 'daddr', '::1', 'tcp', 'dport', String(port), 'counter', 'drop');
  t.after(() => nft('delete', 'table', 'inet', 'dead'));
  const hosts = '::1 redis.example.org\n127.0.0.1 redis.example.org\n';
  const node = await startWithFile(t, '/etc/hosts', hosts, `redis://redis.example.org:${port}/0`);
  await saysLater(node, 'cluster: Redis is there', 0, 30_000);
  // the dead address was tried first
  assert.match(String(nft('list', 'table', 'inet', 'dead')), /counter packets [1-9]/);
});

test('a node ends at once even when the DNS does not answer', async t => {
  const dns = createSocket('udp4');
  t.after(() => dns.close());
  await new Promise(resolve => { dns.bind(53, '127.0.0.1', resolve); });
  const asked = once(dns, 'message');
  // It would wait for longer than stop() does, which ends it by force in the end.
  const patient = 'nameserver 127.0.0.1\noptions timeout:30 attempts:5\n';
  const node = await startWithFile(t, '/etc/resolv.conf', patient, 'redis://redis.example.org:6379/0');
  await within(10_000, 'a question', asked);
  await saysLater(node, 'cluster: Redis cannot be reached: it does not answer');
  assert.equal(await node.stop(), 0);
});

test('what a Redis in protected mode says to machines other than its own is in the log', async t => {
  const [address, port] = ['10.9.9.9', 6391];
  execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
  const redis = await startRedis({ port, address, more: ['--protected-mode', 'yes'] });
  t.after(redis.remove);
  const node = await startTurnpike(
    `listen: ["udp://127.0.0.1:0"]\ncluster: {redis: "redis://${address}:${port}/0", secret: ${clusterSecret}, node: a.example.org}\n`);
  t.after(node.stop);
  await saysLater(node, ' in protected mode');
  // Valkey leaves its name out.
  assert.match(node.log(), /cluster: Redis cannot be reached: DENIED (Redis is running|Running) in protected mode/);
});
