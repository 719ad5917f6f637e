// Tests the laboratory itself, without browsers: each router is the kind of NAT that it claims to be, as STUN
// and strangers' datagrams show from outside; the counters count what they claim to; and nothing leads out.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { startEndpoint } from './support/endpoint.mjs';
import { inside, makeLab, publicNetwork, routes, server, stranger } from './support/lab.mjs';
import { until } from './support/until.mjs';

const stunclient = process.env.STUNCLIENT
  ?? fileURLToPath(new URL('../../build/release/stunclient', import.meta.url));
const [main, other] = server.addresses;
const config = `\
realm: example.org
listen: [udp://${main}:3478, tcp://${main}:3478]
nat_discovery: {alternate: "${other}:3479"}
auth: {users: {alice: secret}}
peers: {allow: [${publicNetwork}]}
limits: {unauthenticated_per_second: 0}
`;
// In the terms of RFC 4787, as stunclient says them.
const claims = {
  'cone': { mapping: 'Endpoint-Independent', filtering: 'Address and Port-Dependent' },
  'full-cone': { mapping: 'Endpoint-Independent', filtering: 'Endpoint-Independent' },
  'restricted-cone': { mapping: 'Endpoint-Independent', filtering: 'Address-Dependent' },
  'address-dependent': { mapping: 'Address-Dependent', filtering: 'Address and Port-Dependent' },
  'symmetric': { mapping: 'Address and Port-Dependent', filtering: 'Address and Port-Dependent' },
};

test('the routers of the NAT laboratory behave as their names say', { timeout: 180_000 }, async t => {
  const { a, b } = makeLab();
  const daemon = await startTurnpike(config, inside(server.namespace));
  t.after(daemon.stop);
  const onServer = await startEndpoint(server.namespace, main); // at a port that nobody was told
  t.after(onServer.stop);
  const outside = await startEndpoint(null, stranger.address); // at an address that nobody was told
  t.after(outside.stop);

  // A check with a new program behind home a's router.
  const check = (kind, name, body) => t.test(`${kind}: ${name}`, async () => {
    a.setNat(kind);
    const host = await startEndpoint('host-a1');
    try {
      await body(host);
    } finally {
      await host.stop();
    }
  });
  const refused = () => a.counters().refused.packets;
  // What stunclient prints behind home a's router.
  async function askServer(...options) {
    const [program, ...args] = [...inside('host-a1'), stunclient, ...options, main];
    const env = { ...process.env, STUNCLIENT_PASSWORD: 'secret' };
    return (await promisify(execFile)(program, args, { env })).stdout;
  }
  const texts = async endpoint => (await endpoint.received()).map(({ text }) => text);

  // Returns, in the terms of RFC 4787, how three ports of the server see one port inside.
  async function mappingOf(host) {
    const seen = [];
    for (const [address, port] of [[main, 3478], [main, 3479], [other, 3478]])
      seen.push(await host.mapped(address, port));
    for (const mapped of seen) assert.equal(mapped?.address, a.wan);
    const [first, fromPort, fromAddress] = seen.map(({ port }) => port);
    const mapping = fromPort !== first ? 'Address and Port-Dependent'
      : fromAddress !== first ? 'Address-Dependent' : 'Endpoint-Independent';
    return { mapping, at: seen[0] };
  }

  // Returns whose datagrams come in there. Each is either received or refused, so nothing has to be waited
  // for.
  async function filteringOf(host, at) {
    const before = refused();
    await onServer.send('from another port', at);
    await outside.send('from another address', at);
    const came = await until(5000, 'both datagrams received or refused', async () => {
      const received = await texts(host);
      return received.length + refused() - before === 2 && received;
    });
    return came.includes('from another address') ? 'Endpoint-Independent'
      : came.includes('from another port') ? 'Address-Dependent' : 'Address and Port-Dependent';
  }

  for (const [kind, claimed] of Object.entries(claims)) {
    await check(kind, 'mapping and filtering are as claimed', async host => {
      const { mapping, at } = await mappingOf(host);
      assert.deepEqual({ mapping, filtering: await filteringOf(host, at) }, claimed);
    });

    // Two ICE agents do this: one of them is the first to send to the address that STUN saw for the other.
    await check(kind, 'a stranger who knocks early does not spoil the way', async host => {
      const at = await host.mapped(main, 3478);
      const before = refused();
      await outside.send('early', at);
      await until(5000, 'the early datagram received or refused', async () =>
        (await texts(host)).length + refused() - before === 1);

      const known = (await outside.received()).length;
      await host.send('hello', { address: stranger.address, port: outside.address.port });
      const hello = await until(5000, 'hello outside', async () => (await outside.received())[known]);
      const fromThere = hello.from.address === at.address && hello.from.port === at.port;
      assert.equal(fromThere, claimed.mapping === 'Endpoint-Independent', 'hello is from where STUN saw it');

      await outside.send('answer', hello.from);
      await until(5000, 'the answer inside', async () => (await texts(host)).includes('answer'));
    });

    // The program runs twice, since what the first run left in the NAT must not make the second one see
    // another kind.
    await check(kind, 'stunclient names it', async () => {
      for (let times = 0; times < 2; ++times) {
        const report = JSON.parse(await askServer('--mode', 'full', '--json', '--timeout', '2'));
        assert.equal(report.nat.mapping.behavior, `${claimed.mapping} Mapping`);
        assert.equal(report.nat.filtering.behavior, `${claimed.filtering} Filtering`);
      }
    });

    await check(kind, 'the relay works through it', async () => {
      await askServer('--turn', '--user', 'alice');
      const counted = a.counters();
      assert.ok(counted.server_udp.packets > 0);
      assert.equal(counted.peers.packets, 0);
    });
  }

  // PADDING makes more than one packet of each message.
  for (const [kind, filtering] of [['cone', 'Address and Port Dependent'], ['full-cone', 'Endpoint Independent']]) {
    await check(kind, "coturn's turnutils_natdiscovery names it, in fragments", async () => {
      const [program, ...args] = [...inside('host-a1'), 'turnutils_natdiscovery', '-m', '-f', '-P',
        '-L', a.hosts[0].address, main];
      const { stdout } = await promisify(execFile)(program, args);
      assert.match(stdout, /NAT with Endpoint Independent Mapping!/);
      assert.match(stdout, new RegExp(`NAT with ${filtering} Filtering!`));
      assert.doesNotMatch(stdout, /ALG detected/);
    });
  }

  for (const [kind, mapping] of [['cone', 'Endpoint-Independent'], ['symmetric', 'Address and Port-Dependent']]) {
    await check(kind, 'stunclient names what it does with TCP', async () => {
      const { nat } = JSON.parse(await askServer('--mode', 'full', '--json', '--protocol', 'tcp'));
      assert.equal(nat.mapping.behavior, `${mapping} Mapping`);
      assert.equal(nat.filtering, undefined);
    });
  }

  await t.test('on the public network there is no NAT', async () => {
    const [program, ...args] = [stunclient, '--mode', 'full', main];
    const { stdout } = await promisify(execFile)(program, args);
    assert.match(stdout, /^Nat behavior: Direct Mapping$/m);
    assert.match(stdout, /^Nat filtering: Endpoint-Independent Filtering$/m);
  });

  async function assertNoUdp(host) {
    const before = refused();
    assert.equal(await host.mapped(main, 3478, 3), null, 'no STUN answer');
    assert.ok(refused() > before);
  }

  await check('udp-blocked', 'TCP gets out, UDP does not', async host => {
    await onServer.listen(8080);
    assert.equal(await host.connect(main, 8080, 5000), true, 'a connection to port 8080');
    await assertNoUdp(host);
  });

  await check('tls-443-only', 'TCP to port 443 gets out, nothing else does', async host => {
    await onServer.listen(443);
    assert.equal(await host.connect(main, 443, 5000), true, 'a connection to port 443');
    const before = refused();
    assert.equal(await host.connect(main, 8080, 500), false, 'no connection to port 8080');
    assert.ok(refused() > before);
    await assertNoUdp(host);
  });

  await check('cone', 'home to home is counted apart from home to server', async hostA => {
    b.setNat('cone');
    const hostB = await startEndpoint('host-b1');
    t.after(hostB.stop);
    const [atA, atB] = [await hostA.mapped(main, 3478), await hostB.mapped(main, 3478)];
    const before = a.counters();
    await hostB.send('opens the way for its answer', atA);
    await hostA.send('x'.repeat(1000), atB);
    await until(5000, 'the datagram at b', async () => (await hostB.received()).length === 1);
    const now = a.counters();
    assert.equal(now.peers.bytes - before.peers.bytes, 1028);
    assert.equal(now.server_udp.bytes, before.server_udp.bytes);
  });

  await t.test('no route leads out of the laboratory', () => {
    for (const namespace of [server.namespace, a.router, b.router]) {
      const out = routes(namespace).filter(route => !/^(203\.0\.113|192\.168\.[12])\.0\/24 /.test(route));
      assert.deepEqual(out, [], namespace);
    }
  });
});
