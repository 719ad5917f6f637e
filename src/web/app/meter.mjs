// Computes figures for people from two successive getStats() reports of a connection.

const sum = (list, field) => list.reduce((total, entry) => total + (entry[field] ?? 0), 0);

export function read(stats) {
  const all = [...stats.values()];
  const inbound = all.filter(({ type }) => type === 'inbound-rtp');
  const transport = all.find(({ type }) => type === 'transport');
  const pairs = all.filter(({ type, nominated }) => type === 'candidate-pair' && nominated);
  const pair = stats.get(transport?.selectedCandidatePairId) ?? pairs[0];
  const audio = inbound.filter(({ kind }) => kind === 'audio');
  return {
    at: performance.now(),
    bytesReceived: transport?.bytesReceived ?? sum(pairs, 'bytesReceived'),
    bytesSent: transport?.bytesSent ?? sum(pairs, 'bytesSent'),
    packetsReceived: sum(inbound, 'packetsReceived'),
    packetsLost: sum(inbound, 'packetsLost'),
    roundTrip: pair?.currentRoundTripTime,
    framesDecoded: sum(inbound, 'framesDecoded'),
    audioPackets: sum(audio, 'packetsReceived'),
    audioEnergy: sum(audio, 'totalAudioEnergy'),
    audioSeconds: sum(audio, 'totalSamplesDuration'),
  };
}

// Bits per second in both directions, round-trip time in milliseconds, the share of lost packets, and the
// mean loudness from 0 to 1.
export function compare(before, now) {
  const seconds = (now.at - before.at) / 1000;
  if (seconds <= 0) return null;
  const rate = field => Math.max(0, (now[field] - before[field]) * 8 / seconds);
  const lost = Math.max(0, now.packetsLost - before.packetsLost);
  const expected = lost + Math.max(0, now.packetsReceived - before.packetsReceived);
  const heard = now.audioSeconds - before.audioSeconds;
  return {
    received: rate('bytesReceived'),
    sent: rate('bytesSent'),
    roundTrip: now.roundTrip === undefined ? null : now.roundTrip * 1000,
    loss: expected ? lost / expected : 0,
    loudness: heard > 0 ? Math.sqrt(Math.max(0, now.audioEnergy - before.audioEnergy) / heard) : 0,
  };
}
