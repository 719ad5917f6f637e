// Tests one STUN or TURN server with its own RTCPeerConnection. A probe always resolves, with
//   { kind, url, candidates, errors, state: 'ok' | 'failed', time, … }
// For TURN, data is sent to ourselves through the relay: from one relayed address to another, and back.
import { isAddress } from '../app/path.mjs';

const patience = 10_000;

// One entry for each URL, with its credentials.
export const targetsOf = iceServers => iceServers.flatMap(({ urls, username, credential }) =>
  [urls].flat().map(url => ({ url, kind: kindOf(url), server: { urls: url, username, credential } })));

export const kinds = ['stun', 'turn-udp', 'turn-tcp', 'turn-tls'];

function kindOf(url) {
  if (/^stuns?:/i.test(url)) return 'stun';
  if (/^turns:/i.test(url)) return 'turn-tls';
  return /[?&]transport=tcp/i.test(url) ? 'turn-tcp' : 'turn-udp';
}

export const probe = (target, saw) => (target.kind === 'stun' ? probeStun : probeTurn)(target, saw);

// Gathers candidates. Calls `saw` for each one: { candidate } or { error }, with the time since the start.
function gather(connection, target, saw) {
  const start = performance.now();
  const candidates = [];
  const errors = [];
  const since = () => Math.round(performance.now() - start);
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (!candidate?.candidate) return;
    const { type, protocol, port, relatedPort, relayProtocol } = candidate;
    const found = {
      time: since(), type, protocol, address: bare(candidate.address), port,
      relatedAddress: bare(candidate.relatedAddress), relatedPort, relayProtocol,
      url: type === 'host' ? '' : candidate.url || target.url,
    };
    candidates.push(found);
    saw({ candidate: found });
  });
  connection.addEventListener('icecandidateerror', event => {
    const { errorCode: code, errorText: text, address, port, url } = event;
    const error = { time: since(), code, text, address: bare(address), port, url: url || target.url };
    errors.push(error);
    saw({ error });
  });
  const complete = new Promise(resolve => {
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState === 'complete') resolve(true);
    });
  });
  return { candidates, errors, complete, since };
}

async function probeStun(target, saw) {
  const connection = new RTCPeerConnection({ iceServers: [target.server] });
  try {
    const { candidates, errors, complete, since } = gather(connection, target, saw);
    connection.createDataChannel('probe');
    await connection.setLocalDescription();
    const done = await within(patience, complete);
    const reflexive = candidates.filter(({ type }) => type === 'srflx');
    // An unchanged address gives no candidate of its own, so silence without an error is a success.
    const same = done && candidates.some(host => host.type === 'host' && host.protocol === 'udp'
      && !errors.some(error => concerns(error, host)));
    const ok = reflexive.length > 0 || same;
    return { ...target, candidates, errors, state: ok ? 'ok' : 'failed', reflexive,
      time: reflexive[0]?.time ?? since() };
  } catch (error) {
    return failed(target, error);
  } finally {
    connection.close();
  }
}

const bare = address => address?.replace(/^\[|\]$/g, ''); // removes the brackets of an IPv6 address

const concerns = (error, host) => !error.address || !host.address || !isAddress(host.address)
  || (error.address === host.address && (!error.port || error.port === host.port));

async function probeTurn(target, saw) {
  const configuration = { iceServers: [target.server], iceTransportPolicy: 'relay' };
  const [near, far] = [new RTCPeerConnection(configuration), new RTCPeerConnection(configuration)];
  try {
    const { candidates, errors, complete } = gather(near, target, saw);
    const waiting = { near: [], far: [] };
    const pass = (from, to, name) => from.addEventListener('icecandidate', ({ candidate }) => {
      if (!candidate) return;
      if (to.remoteDescription) to.addIceCandidate(candidate).catch(() => {});
      else waiting[name].push(candidate);
    });
    pass(near, far, 'far');
    pass(far, near, 'near');
    far.addEventListener('datachannel', ({ channel }) => {
      channel.addEventListener('message', ({ data }) => channel.send(data));
    });
    const channel = near.createDataChannel('probe');
    const opened = new Promise(resolve => channel.addEventListener('open', () => resolve(true)));
    const answered = new Promise(resolve => channel.addEventListener('message', () => resolve(true)));
    await near.setLocalDescription();
    await far.setRemoteDescription(near.localDescription);
    await far.setLocalDescription();
    await near.setRemoteDescription(far.localDescription);
    for (const candidate of waiting.far) await far.addIceCandidate(candidate).catch(() => {});
    for (const candidate of waiting.near) await near.addIceCandidate(candidate).catch(() => {});

    const nothing = complete.then(() => candidates.length ? new Promise(() => {}) : false);
    let roundTrip = null;
    if (await within(patience, Promise.race([opened, nothing]))) {
      const sent = performance.now();
      channel.send('round');
      if (await within(patience, answered)) roundTrip = Math.round(performance.now() - sent);
    }
    const relayed = candidates.find(({ type }) => type === 'relay');
    const state = relayed ? 'ok' : 'failed';
    return { ...target, candidates, errors, roundTrip, state, time: relayed?.time };
  } catch (error) {
    return failed(target, error);
  } finally {
    near.close();
    far.close();
  }
}

// Returns the server-reflexive candidates of one connection that asks all targets. Within one connection the
// browser asks them from the same local port, so their mappings can be compared.
export async function compareMappings(targets) {
  const connection = new RTCPeerConnection({ iceServers: targets.map(({ server }) => server) });
  try {
    const { candidates, complete } = gather(connection, { url: '' }, () => {});
    connection.createDataChannel('probe');
    await connection.setLocalDescription();
    await within(patience, complete);
    return candidates.filter(({ type }) => type === 'srflx');
  } catch {
    return [];
  } finally {
    connection.close();
  }
}

// For example a URL that this browser does not understand.
const failed = (target, error) => ({
  ...target, candidates: [], errors: [{ time: 0, code: 0, text: error.message, url: target.url }],
  reflexive: [], state: 'failed',
});

async function within(milliseconds, promise) {
  let timer;
  const late = new Promise(resolve => { timer = setTimeout(resolve, milliseconds, false); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const patienceSeconds = patience / 1000;
