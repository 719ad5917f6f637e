// Tests what the connection check says of its measurements.
import assert from 'node:assert/strict';
import { test } from 'node:test';

globalThis.navigator ??= { userAgent: 'Chrome' }; // which Node 18 and 20 do not have
const { remarks, summary, verdicts, withPort } = await import('../../src/web/diagnostics/verdict.mjs');
const { kinds, targetsOf } = await import('../../src/web/diagnostics/probe.mjs');

const target = (kind, url) => ({ kind, url });
const stun = host => target('stun', `stun:${host}:3478`);
const inside = { relatedAddress: '192.168.0.7', relatedPort: 5000 };
const seen = (port, more = inside) => ({ address: '203.0.113.5', port, ...more });
const ok = (one, reflexive = []) => ({ ...one, state: 'ok', time: 7, reflexive, errors: [], roundTrip: 3 });
const failed = (one, errors = []) => ({ ...one, state: 'failed', reflexive: [], errors });
const keys = list => list.map(({ key }) => key).join(' ');
const page = { hostname: '198.51.100.1' };

test('each URL is a target of its kind, with its credentials', () => {
  const targets = targetsOf([{ urls: 'stun:a' }, { username: 'u', credential: 'c',
    urls: ['turn:a', 'turn:a?transport=udp', 'TURN:a?transport=tcp', 'turns:a?transport=tcp', 'stuns:a'] }]);
  assert.deepEqual(targets.map(({ kind }) => kind), ['stun', 'turn-udp', 'turn-udp', 'turn-tcp', 'turn-tls', 'stun']);
  assert.deepEqual(targets[3].server, { urls: 'TURN:a?transport=tcp', username: 'u', credential: 'c' });
});

test('each kind of server has one verdict', () => {
  const targets = [stun('a'), stun('b'), target('turn-udp', 'turn:a'), target('turn-tcp', 'turn:a?transport=tcp')];
  const state = results => verdicts(targets, results).map(({ state: how }) => how).join(' ');
  assert.equal(state([]), 'running running running absent');
  assert.equal(state([failed(targets[0])]), 'running running running absent', 'the other one may answer yet');
  assert.equal(state([failed(targets[0]), failed(targets[1]), ok(targets[2])]), 'failed ok running absent');
  assert.equal(state([failed(targets[0]), ok(targets[1]), failed(targets[3])]), 'ok running failed absent');
  assert.deepEqual(verdicts(targets, []).map(({ kind }) => kind), kinds);
});

test('a verdict says what has come back', () => {
  const [udp] = [target('turn-udp', 'turn:a')];
  const verdict = (one, result) => verdicts([one], [result]).find(({ kind }) => kind === one.kind);
  assert.deepEqual(verdict(udp, ok(udp)), { kind: 'turn-udp', state: 'ok', key: 'verdict.turn.ok', values: { time: 7, roundTrip: 3 } });
  assert.equal(verdict(udp, { ...ok(udp), roundTrip: null }).key, 'verdict.turn.allocated');
  const both = verdicts([udp, udp], [{ ...ok(udp), roundTrip: null }, ok(udp)])[1];
  assert.equal(both.key, 'verdict.turn.ok', 'the better one counts');
  assert.deepEqual(verdict(stun('a'), ok(stun('a'), [seen(9)])).values, { time: 7, address: '203.0.113.5:9' });
  assert.equal(verdict(stun('a'), ok(stun('a'))).key, 'verdict.stun.same');
  const why = (...errors) => verdict(udp, failed(udp, errors)).why;
  assert.deepEqual(why(), { key: 'why.silence', values: { seconds: 10 } });
  assert.equal(why({ code: 701, text: 'x' }).key, 'why.701');
  assert.equal(why({ code: 701, text: 'x' }, { code: 401, text: 'y' }).key, 'why.401', 'what the server has said counts more');
  assert.deepEqual(why({ code: 486, text: 'Quota' }), { key: 'why.other', values: { code: 486, text: 'Quota' } });
  assert.equal(verdict(stun('a'), failed(stun('a'))).key, 'verdict.stun.failed');
});

test('the summary is about calls', () => {
  const of = (...states) => {
    const { tone, title, text } = summary(kinds.map((kind, index) => ({ kind, state: states[index] })));
    return [tone, title.key, text.key, title.values?.transport].filter(Boolean).join(' ');
  };
  assert.equal(of('ok', 'ok', 'failed', 'failed'), 'good summary.good summary.goodText');
  assert.equal(of('failed', 'absent', 'ok', 'absent'), 'good summary.good summary.goodText');
  assert.equal(of('ok', 'failed', 'ok', 'ok'), 'poor summary.noUdp summary.noUdpText TCP');
  assert.equal(of('ok', 'failed', 'failed', 'ok'), 'poor summary.noUdp summary.noUdpText TLS');
  assert.equal(of('ok', 'absent', 'absent', 'absent'), 'poor summary.noRelay summary.noRelayOffered');
  assert.equal(of('ok', 'failed', 'absent', 'absent'), 'poor summary.noRelay summary.noRelayFailed');
  assert.equal(of('failed', 'failed', 'failed', 'absent'), 'bad summary.bad summary.badText');
});

test('whether a NAT is symmetric is said only when two servers have answered', () => {
  const two = [stun('198.51.100.1'), stun('198.51.100.2')];
  const nat = (results, mappings) => keys(remarks({ targets: two, results, mappings, page }));
  const answers = two.map(one => ok(one, [seen(5000)]));
  assert.equal(nat(answers, [seen(5000)]), 'nat.some nat.cone');
  assert.equal(nat(answers, [seen(5000), seen(5001)]), 'nat.some nat.symmetric');
  const otherBase = { relatedAddress: '10.0.0.7', relatedPort: 6000 };
  assert.equal(nat(answers, [seen(5000), seen(5001, otherBase)]), 'nat.some nat.cone', 'two local ports are two mappings');
  const v6 = { address: '2001:db8::5', port: 7, ...inside };
  assert.equal(nat(answers, [seen(5000), v6]), 'nat.some nat.cone', 'so are two families');
  assert.equal(nat([answers[0], failed(two[1])], [seen(5000)]), 'nat.some nat.oneServer', 'the other one has seen no port');
  assert.equal(nat(answers, []), 'nat.some', 'nothing was compared');
  assert.equal(nat(two.map(one => ok(one)), []), 'nat.none');
  assert.equal(nat(two.map(one => failed(one)), []), '');
  const hidden = seen(5000, { relatedAddress: '0.0.0.0', relatedPort: 0 });
  assert.equal(nat([ok(two[0], [hidden])], []), 'nat.someHidden nat.oneServer');
});

test('servers that other people cannot reach are named', () => {
  const about = (targets, hostname) => keys(remarks({ targets, results: [], mappings: [], page: { hostname } }));
  assert.equal(about([stun('192.168.0.2')], 'calm-otter.loca.lt'), 'note.tunnel');
  assert.equal(about([stun('calm-otter.loca.lt')], 'calm-otter.loca.lt'), 'note.tunnel');
  assert.equal(about([stun('turn.example.org')], 'calm-otter.loca.lt'), '', 'a relay elsewhere');
  assert.equal(about([stun('192.168.0.2')], 'notloca.lt'), 'note.tunnel note.privateRelay');
  assert.equal(about([stun('192.168.0.2')], '192.168.0.2'), '');
  assert.equal(about([target('turn-tls', 'turns:192.0.2.1:5349')], 'call.example'), 'note.firefoxTls');
  assert.equal(about([target('turn-tls', 'turns:turn.example:5349')], 'call.example'), '');
  assert.deepEqual([withPort({ address: '::1', port: 1 }), withPort({ port: 1 })], ['[::1]:1', '?:1']);
});
