// Turns the results of the probes into sentences. A sentence is { key, values } for the texts of all
// languages.
import { hostOf, isAddress, isPrivate } from '../app/path.mjs';
import { kinds, patienceSeconds } from './probe.mjs';

// Tunnel services. They make a web server on a computer without a public address reachable.
const tunnelDomains = ['app.github.dev', 'devtunnels.ms', 'gitpod.io', 'lhr.life', 'loca.lt', 'localhost.run',
  'ngrok-free.app', 'ngrok-free.dev', 'ngrok.app', 'ngrok.io', 'pinggy.link', 'pinggy.online', 'serveo.net',
  'trycloudflare.com', 'tunnelmole.net'];
const isTunnel = host => tunnelDomains.some(domain => host === domain || host.endsWith(`.${domain}`));

const isFirefox = /firefox/i.test(navigator.userAgent);

export const withPort = ({ address, port }) =>
  address?.includes(':') ? `[${address}]:${port}` : `${address ?? '?'}:${port}`;

// One sentence for each kind of server: { kind, state: 'ok' | 'failed' | 'absent' | 'running', key, values }.
export function verdicts(targets, results) {
  return kinds.map(kind => {
    const asked = targets.filter(target => target.kind === kind).length;
    if (!asked) return { kind, state: 'absent', key: 'verdict.absent' };
    const mine = results.filter(result => result.kind === kind);
    const best = mine.find(({ state, roundTrip }) => state === 'ok' && roundTrip !== null)
      ?? mine.find(({ state }) => state === 'ok');
    if (best) return { kind, state: 'ok', ...works(best) };
    if (mine.length < asked) return { kind, state: 'running', key: 'verdict.running' };
    const group = kind === 'stun' ? 'stun' : 'turn';
    return { kind, state: 'failed', key: `verdict.${group}.failed`, why: reason(mine[0]) };
  });
}

function works({ kind, time, reflexive, roundTrip }) {
  if (kind !== 'stun') {
    const key = roundTrip === null ? 'verdict.turn.allocated' : 'verdict.turn.ok';
    return { key, values: { time, roundTrip } };
  }
  if (!reflexive.length) return { key: 'verdict.stun.same', values: { time } };
  return { key: 'verdict.stun.ok', values: { time, address: withPort(reflexive[0]) } };
}

function reason({ kind, url, errors }) {
  if (kind === 'turn-tls' && isFirefox && isAddress(hostOf(url))) return { key: 'why.firefoxTls' };
  const error = errors.find(({ code }) => code && code !== 701) ?? errors[0];
  if (!error) return { key: 'why.silence', values: { seconds: patienceSeconds } };
  const { code, text } = error;
  if (code === 401 || code === 701) return { key: `why.${code}`, values: { text } };
  return { key: 'why.other', values: { code: code || '', text } };
}

// The summary: { tone: 'good' | 'poor' | 'bad', title, text }.
export function summary(list) {
  const state = Object.fromEntries(list.map(({ kind, state: how }) => [kind, how]));
  const relays = kinds.slice(1).filter(kind => state[kind] === 'ok');
  const offered = kinds.slice(1).some(kind => state[kind] !== 'absent');
  if (state['turn-udp'] === 'ok' || (relays.length && state['turn-udp'] === 'absent'))
    return { tone: 'good', title: { key: 'summary.good' }, text: { key: 'summary.goodText' } };
  if (relays.length) {
    const values = { transport: relays[0] === 'turn-tcp' ? 'TCP' : 'TLS' };
    return { tone: 'poor', title: { key: 'summary.noUdp', values }, text: { key: 'summary.noUdpText' } };
  }
  if (state.stun === 'ok')
    return {
      tone: 'poor', title: { key: 'summary.noRelay' },
      text: { key: offered ? 'summary.noRelayFailed' : 'summary.noRelayOffered' },
    };
  return { tone: 'bad', title: { key: 'summary.bad' }, text: { key: 'summary.badText' } };
}

// Further remarks: about the NAT, and about servers that other people cannot reach.
export function remarks({ targets, results, mappings, page }) {
  return [...natRemarks(results, mappings), ...serverRemarks(targets, page)];
}

function natRemarks(results, mappings) {
  const answered = results.filter(({ kind, state }) => kind === 'stun' && state === 'ok');
  if (!answered.length) return [];
  const seen = answered.flatMap(({ reflexive }) => reflexive);
  if (!seen.length) return [{ key: 'nat.none' }];
  const [first] = seen;
  const outside = withPort(first);
  const hidden = !first.relatedAddress || /^(0\.0\.0\.0|::)$/.test(first.relatedAddress);
  const inside = withPort({ address: first.relatedAddress, port: first.relatedPort });
  const remark = hidden ? { key: 'nat.someHidden', values: { outside } }
    : { key: 'nat.some', values: { inside, outside } };
  const hosts = new Set(answered.map(({ url }) => hostOf(url)));
  if (hosts.size < 2) return [remark, { key: 'nat.oneServer' }];
  if (!mappings.length) return [remark]; // nothing came back to the connection that asked both
  const family = ({ address }) => address?.includes(':');
  const comparable = mappings.filter(other => family(other) === family(mappings[0])
    && other.relatedPort === mappings[0].relatedPort);
  const ports = new Set(comparable.map(({ port }) => port));
  return [remark, { key: ports.size > 1 ? 'nat.symmetric' : 'nat.cone' }];
}

function serverRemarks(targets, { hostname }) {
  const found = [];
  const hosts = [...new Set(targets.map(({ url }) => hostOf(url)))];
  const own = hosts.filter(isPrivate);
  const tunnel = isTunnel(hostname);
  if (tunnel && hosts.some(host => host === hostname || isPrivate(host))) found.push({ key: 'note.tunnel' });
  else if (own.length && !isPrivate(hostname))
    found.push({ key: 'note.tunnel' }, { key: 'note.privateRelay', values: { hosts: own.join(', ') } });
  if (targets.some(({ kind, url }) => kind === 'turn-tls' && isAddress(hostOf(url))))
    found.push({ key: 'note.firefoxTls' });
  return found;
}
