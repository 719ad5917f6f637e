// The laboratory itself, without browsers: each router is the kind of NAT that it claims to be, as STUN and
// strangers' datagrams show from outside; the counters count what they say; and nothing leads out.
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
listen: [udp://${main}:3478, udp://${main}:3479, udp://${other}:3478]
auth: {users: {alice: secret}}
peers: {allow: [${publicNetwork}]}
limits: {unauthenticated_per_second: 0}
`;
const claims = {
  'cone': { mapping: 'endpoint-independent', filtering: 'address and port-dependent' },
  'full-cone': { mapping: 'endpoint-independent', filtering: 'endpoint-independent' },
  'symmetric': { mapping: 'address and port-dependent', filtering: 'address and port-dependent' },
};

test('the NAT laboratory is what it claims to be', { timeout: 60_000 }, async t => {
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
  const texts = async endpoint => (await endpoint.received()).map(({ text }) => text);

  // In the terms of RFC 4787: what one port inside is outside, as three ports of the server see it…
  async function mappingOf(host) {
    const seen = [];
    for (const [address, port] of [[main, 3478], [main, 3479], [other, 3478]])
      seen.push(await host.mapped(address, port));
    for (const mapped of seen) assert.equal(mapped?.address, a.wan);
    const [first, fromPort, fromAddress] = seen.map(({ port }) => port);
    const mapping = fromPort !== first ? 'address and port-dependent'
      : fromAddress !== first ? 'address-dependent' : 'endpoint-independent';
    return { mapping, at: seen[0] };
  }

  // … and whose datagrams come in there. Both are either received or refused: nothing has to be waited out.
  async function filteringOf(host, at) {
    const before = refused();
    await onServer.send('from another port', at);
    await outside.send('from another address', at);
    const came = await until(5000, 'both datagrams received or refused', async () => {
      const received = await texts(host);
      return received.length + refused() - before === 2 && received;
    });
    return came.includes('from another address') ? 'endpoint-independent'
      : came.includes('from another port') ? 'address-dependent' : 'address and port-dependent';
  }

  for (const [kind, claimed] of Object.entries(claims)) {
    await check(kind, 'mapping and filtering are as claimed', async host => {
      const { mapping, at } = await mappingOf(host);
      assert.deepEqual({ mapping, filtering: await filteringOf(host, at) }, claimed);
    });

    // As two ICE agents do, of which one is the first to send to where STUN saw the other.
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
      assert.equal(fromThere, claimed.mapping === 'endpoint-independent', 'hello is from where STUN saw it');

      await outside.send('answer', hello.from);
      await until(5000, 'the answer inside', async () => (await texts(host)).includes('answer'));
    });

    await check(kind, 'the relay works through it', async () => {
      const [program, ...args] = [...inside('host-a1'), stunclient, '--turn', '--user', 'alice', main];
      await promisify(execFile)(program, args, { env: { ...process.env, STUNCLIENT_PASSWORD: 'secret' } });
      const counted = a.counters();
      assert.ok(counted.server_udp.packets > 0);
      assert.equal(counted.peers.packets, 0);
    });
  }

  async function assertNoUdp(host) {
    const before = refused();
    assert.equal(await host.mapped(main, 3478), null, 'no STUN answer');
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

  await t.test('nothing leads out', () => {
    for (const namespace of [server.namespace, a.router, b.router]) {
      const out = routes(namespace).filter(route => !/^(203\.0\.113|192\.168\.[12])\.0\/24 /.test(route));
      assert.deepEqual(out, [], namespace);
    }
  });
});
