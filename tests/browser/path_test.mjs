// Tests how the page names the path of a call, with candidates as Chromium and Firefox report them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostOf, isPrivate, judgePath, turnAddresses } from '../../src/web/app/path.mjs';

const here = { id: 'here', candidateType: 'host', address: '192.168.77.1', port: 40000, protocol: 'udp' };
const hidden = (port, type = 'host') => ({ address: '0a1b2c3d-1111-4222-8333-444455556666.local', port, type });

// Returns the path to a candidate of the other side, after it has signaled the `known` ones.
function pathTo(remote, known) {
  const stats = [
    here, { id: 'there', protocol: 'udp', ...remote },
    { id: 'pair', type: 'candidate-pair', localCandidateId: 'here', remoteCandidateId: 'there' },
    { id: 'transport', type: 'transport', selectedCandidatePairId: 'pair' },
  ];
  return judgePath(new Map(stats.map(entry => [entry.id, entry])), { known }).path;
}

test('with Firefox in the same network, only its server-reflexive candidate shows its address', () => {
  const address = '192.168.77.2';
  const known = [hidden(50000), { address, port: 50000, type: 'srflx' }];
  assert.equal(pathTo({ candidateType: 'srflx', address, port: 50000 }, known), 'direct');
  assert.equal(pathTo({ candidateType: 'prflx', address, port: 50000 }, known), 'direct');
  for (const inside of ['10.1.2.3', '172.20.0.9', '169.254.7.7', 'fd00::5', 'fe80::1'])
    assert.equal(pathTo({ candidateType: 'srflx', address: inside, port: 50000 }, [hidden(50000)]), 'direct', inside);
});

test('the path is direct to a hidden address that was learnt only from a connectivity check', () => {
  assert.equal(pathTo({ candidateType: 'prflx', address: '192.168.77.2', port: 50000 }, [hidden(50000)]), 'direct');
  assert.equal(pathTo({ candidateType: 'prflx', port: 50000 }, [hidden(50000)]), 'direct');
  assert.equal(pathTo({ candidateType: 'prflx', port: 61000 }, [hidden(9)]), 'direct', 'over TCP');
});

test('the path through a NAT is not taken for a direct one', () => {
  const hosts = [hidden(50000), { address: '198.51.100.7', port: 50000, type: 'srflx' }];
  assert.equal(pathTo({ candidateType: 'prflx', port: 50000 }, hosts), 'nat', 'an address not told by a signal');
  for (const candidateType of ['srflx', 'prflx']) {
    assert.equal(pathTo({ candidateType, address: '198.51.100.7', port: 50000 }, hosts), 'nat', 'a public address');
    assert.equal(pathTo({ candidateType, address: '10.0.0.7', port: 61000 }, hosts), 'nat', 'another port');
    assert.equal(pathTo({ candidateType, address: '10.0.0.7', port: 50000 }, []), 'nat', 'no hidden address');
    assert.equal(pathTo({ candidateType, address: '10.0.0.7', port: 50000 }, [hidden(50000, 'srflx')]), 'nat',
      'hidden, but not a host');
  }
});

// Returns the path and the transport between two candidates, whose connection has these statistics besides.
function judged(local, remote, context, ...more) {
  const stats = [
    { protocol: 'udp', ...local, id: 'l' }, { protocol: 'udp', ...remote, id: 'r' },
    { id: 'p', type: 'candidate-pair', localCandidateId: 'l', remoteCandidateId: 'r', state: 'succeeded', nominated: true },
    ...more,
  ];
  const path = judgePath(new Map(stats.map(entry => [entry.id, entry])), context);
  return path && `${path.path} ${path.transport} ${path.ownRelay ? 'own' : 'other'}`;
}
const used = { id: 't', type: 'transport', selectedCandidatePairId: 'p' };
const there = { candidateType: 'host', address: '192.168.0.9', port: 1 };
const relayed = { candidateType: 'relay', address: '198.51.100.1', port: 3 };

test('a relay on either side is a relay, and the transport is that of this side', () => {
  assert.equal(judged({ ...relayed, relayProtocol: 'tls' }, there, {}, used), 'relay tls own');
  assert.equal(judged({ ...relayed, relayProtocol: 'tcp', url: 'turns:x' }, there, {}, used), 'relay tcp own');
  assert.equal(judged({ ...relayed, url: 'turns:x?transport=tcp' }, there, {}, used), 'relay tls own');
  assert.equal(judged({ ...relayed, url: 'turn:x?transport=tcp' }, there, {}, used), 'relay tcp own');
  assert.equal(judged({ ...relayed, url: 'turn:x' }, there, {}, used), 'relay udp own');
  assert.equal(judged({ ...here, protocol: 'tcp' }, { ...relayed, url: 'turns:x' }, {}, used), 'relay tcp other');
});

test('an address that was learnt from a check is what a signal or the list of servers says of it', () => {
  const learnt = { ...relayed, candidateType: 'prflx' };
  const servers = new Set([learnt.address]);
  const signaled = type => ({ servers, known: [{ address: learnt.address, port: 3, type }] });
  assert.equal(judged(here, learnt, { servers }, used), 'relay udp other');
  assert.equal(judged(here, learnt, signaled('srflx'), used), 'nat udp other');
  assert.equal(judged(here, learnt, { known: signaled('relay').known }, used), 'relay udp other');
  assert.equal(judged(here, { ...learnt, port: 4 }, { known: signaled('relay').known }, used), 'nat udp other');
});

test('without statistics of the transport the pair is the selected one, or the one that works', () => {
  const pair = { id: 'p2', type: 'candidate-pair', localCandidateId: 'l', remoteCandidateId: 'relayed', nominated: true };
  const other = { id: 'relayed', protocol: 'udp', ...relayed };
  assert.equal(judged(here, there, {}), 'direct udp other');
  assert.equal(judgePath(new Map([['p', { ...pair, id: 'p', state: 'in-progress' }], ['l', here], ['relayed', other]])), null);
  const chosen = new Map([['l', { id: 'l', ...here }], ['r', { id: 'r', ...there }], ['relayed', other],
    ['p', { ...pair, remoteCandidateId: 'r', state: 'succeeded', selected: false }], ['p2', { ...pair, selected: true }]]);
  assert.equal(judgePath(chosen).path, 'relay', 'as Firefox says');
});

test('networks of their own are told from the internet', () => {
  for (const own of ['10.0.0.1', '172.16.0.1', '172.31.255.1', '192.168.1.1', '127.0.0.1', '169.254.1.1', '100.64.0.1', '100.127.0.1',
    '::1', 'fd12::1', 'fe80::1', 'febf::1', 'localhost', 'a.local', ''])
    assert.equal(isPrivate(own), true, own);
  for (const open of ['11.0.0.1', '172.15.0.1', '172.32.0.1', '192.169.1.1', '100.63.0.1', '100.128.0.1', '2001:db8::1', 'fec0::1', 'example.org'])
    assert.equal(isPrivate(open), false, open);
});

test('the relays of a list are known by their addresses', () => {
  assert.equal(hostOf('turns:[2001:db8::1]:5349?transport=tcp'), '2001:db8::1');
  assert.equal(hostOf('TURN:192.0.2.1:3478'), '192.0.2.1');
  assert.equal(hostOf('stun:turn.example.org?x'), 'turn.example.org');
  const list = [{ urls: 'stun:192.0.2.9' }, { urls: ['turn:192.0.2.1:3478', 'turns:turn.example.org', 'turns:[2001:db8::1]:5349'] }];
  assert.deepEqual([...turnAddresses(list)], ['192.0.2.1', '2001:db8::1']);
});
