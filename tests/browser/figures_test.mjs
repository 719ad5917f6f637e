// Tests the figures that the page shows about a connection, and the graph of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stepFor } from '../../src/web/app/ladder.mjs';
import { compare, read } from '../../src/web/app/meter.mjs';
import { bands, drawGraph, height, width } from '../../src/web/ui/graph.mjs';

const report = (...entries) => new Map(entries.map(entry => [entry.id, entry]));
const inbound = (kind, packetsReceived, packetsLost) =>
  ({ id: kind, type: 'inbound-rtp', kind, packetsReceived, packetsLost, framesDecoded: kind === 'video' ? 7 : undefined });

const counted = { at: 1000, bytesReceived: 1000, bytesSent: 500, packetsReceived: 100, packetsLost: 4,
  roundTrip: 0.02, audioEnergy: 1, audioSeconds: 10 };

test('the counts are those of the pair in use, and of all tracks together', () => {
  const stats = report(
    { id: 'transport', type: 'transport', selectedCandidatePairId: 'used', bytesReceived: 900, bytesSent: 800 },
    { id: 'other', type: 'candidate-pair', nominated: true, currentRoundTripTime: 9 },
    { id: 'used', type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.05 },
    inbound('audio', 30, 1), inbound('video', 70, 2));
  const counts = read(stats);
  assert.deepEqual([counts.bytesReceived, counts.bytesSent, counts.roundTrip], [900, 800, 0.05]);
  assert.deepEqual([counts.packetsReceived, counts.packetsLost, counts.audioPackets], [100, 3, 30]);
  assert.equal(counts.framesDecoded, 7);
  stats.delete('transport'); // Firefox has none
  stats.get('used').bytesReceived = 20;
  stats.get('other').bytesReceived = 10;
  assert.equal(read(stats).bytesReceived, 30);
});

test('a sample has bits per second, milliseconds, and the lost share of what was sent', () => {
  const now = { ...counted, at: 3000, bytesReceived: 26_000, bytesSent: 5500, packetsReceived: 190, packetsLost: 14,
    roundTrip: 0.035, audioEnergy: 1.08, audioSeconds: 12 };
  const { received, sent, roundTrip, loss, loudness } = compare(counted, now);
  assert.deepEqual([received, sent, roundTrip, loss], [100_000, 20_000, 35, 0.1]);
  assert.equal(loudness.toFixed(3), '0.200');
});

test('a new connection, whose counts begin at 0, brings no rate below 0 and no loss beyond all', () => {
  const now = { ...counted, at: 2000, bytesReceived: 10, bytesSent: 10, packetsReceived: 5, packetsLost: 0,
    roundTrip: undefined, audioEnergy: 0, audioSeconds: 0 };
  assert.deepEqual(compare(counted, now), { received: 0, sent: 0, roundTrip: null, loss: 0, loudness: 0 });
  assert.equal(compare(counted, { ...now, at: 1000 }), null, 'two reports of one moment have no rate');
});

// Returns the points of a path: [command, x, y].
function pointsOf(path) {
  return [...path.matchAll(/([ML])([-\d.]+),([-\d.]+)/g)].map(([, command, x, y]) => [command, Number(x), Number(y)]);
}

test('the newest sample is at the right, and the greatest rate of both directions fills the height', () => {
  const sample = { received: 0, sent: 0, roundTrip: 10, loss: 0 };
  const { received, sent } = drawGraph([{ ...sample, sent: 4_000_000 }, { ...sample, received: 2_000_000 }]);
  const { top, bottom } = bands.rates;
  const left = Number((width - width / 59).toFixed(1));
  assert.deepEqual(pointsOf(sent), [['M', left, top], ['L', width, bottom]]);
  assert.deepEqual(pointsOf(received), [['M', left, bottom], ['L', width, (top + bottom) / 2]]);
  const minute = pointsOf(drawGraph(Array(60).fill(sample)).received);
  assert.deepEqual([minute.length, minute[0][1], minute[59][1]], [60, 0, width]);
});

test('small values stay small', () => {
  const quiet = { received: 1000, sent: 0, roundTrip: 1, loss: 0.001 };
  const { received, roundTrip, loss } = drawGraph([quiet, quiet]);
  assert.ok(bands.rates.bottom - pointsOf(received)[1][2] < 1, received);
  assert.ok(bands.quality.bottom - pointsOf(roundTrip)[1][2] < 1, roundTrip);
  assert.ok(bands.quality.bottom - Number(/V([\d.]+)$/.exec(loss)[1]) < 1, loss);
});

test('the round trip has a gap where it is not known, and loss is drawn where something was lost', () => {
  const sample = { received: 0, sent: 0, roundTrip: 200, loss: 0 };
  const lost = { ...sample, loss: 0.5 };
  const { roundTrip, loss } = drawGraph([{ ...sample, roundTrip: null }, sample, lost, { ...sample, roundTrip: null }, sample]);
  assert.deepEqual(pointsOf(roundTrip).map(([command, , y]) => [command, y]),
    [['M', bands.quality.top], ['L', bands.quality.top], ['M', bands.quality.top]]);
  const x = (width - 2 * width / 59).toFixed(1);
  assert.equal(loss, `M${x},${bands.quality.bottom}V${bands.quality.top.toFixed(1)}`);
  assert.ok(bands.rates.bottom < bands.quality.top && bands.quality.bottom < height, 'the bands are apart');
  assert.deepEqual(drawGraph([]), { received: '', sent: '', roundTrip: '', loss: '' });
});

test('the more pages there are, the less each of them gets, and all of them together no more than an uplink has', () => {
  const steps = Array.from({ length: 16 }, (_, i) => stepFor(i));
  assert.equal(stepFor(0).camera, stepFor(1).camera);
  for (let peers = 2; peers < steps.length; ++peers) {
    const [before, now] = [steps[peers - 1], steps[peers]];
    assert.ok(now.camera <= before.camera && now.screen <= before.screen && now.scale >= before.scale, String(peers));
    assert.ok(now.camera * peers <= 2_500_000, `${peers} cameras`);
  }
  assert.deepEqual([1, 2, 3, 5, 8, 9].map(peers => steps[peers].camera / 1000), [2500, 1200, 800, 450, 250, 120]);
});
