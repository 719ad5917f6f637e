// Tests how the page names the path of a call, with candidates as Chromium and Firefox report them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgePath } from '../../src/web/app/path.mjs';

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
