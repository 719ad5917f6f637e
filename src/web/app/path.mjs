// Decides which path the media of a connection takes, from its selected candidate pair:
//   { path: 'direct' | 'nat' | 'relay', transport: 'udp' | 'tcp' | 'tls', local, remote, pair }
// A peer-reflexive candidate does not tell its type. If the other side has signaled its address, the type of
// that signal counts. If it has the address of a TURN server, it is a relay whose check came before its
// signal. Firefox signals its own address with the name of an mDNS host, which may not be resolved, and once
// more as the STUN server saw it.

function selectedPair(stats) {
  const all = [...stats.values()];
  const transport = all.find(({ type, selectedCandidatePairId }) =>
    type === 'transport' && selectedCandidatePairId);
  const pair = transport
    ? stats.get(transport.selectedCandidatePairId)
    : all.find(({ type, selected, nominated, state }) => // for Firefox, which has no transport statistics
      type === 'candidate-pair' && (selected ?? (nominated && state === 'succeeded')));
  const local = pair && stats.get(pair.localCandidateId);
  const remote = pair && stats.get(pair.remoteCandidateId);
  return local && remote ? { pair, local, remote } : null;
}

// `known` are the candidates that the other side has signaled; `servers` are the addresses of TURN servers.
export function judgePath(stats, { known = [], servers = new Set() } = {}) {
  const selected = selectedPair(stats);
  if (!selected) return null;
  const { local, remote } = selected;
  const localType = typeOf(local, [], servers);
  const remoteType = typeOf(remote, known, servers);
  const types = [localType, remoteType];
  const path = types.includes('relay') ? 'relay'
    : types.every(type => type === 'host') ? 'direct'
      : 'nat';
  const transport = localType === 'relay' ? relayTransport(local) : local.protocol ?? 'udp';
  return { path, transport, ownRelay: localType === 'relay', localType, remoteType, ...selected };
}

function typeOf(candidate, known, servers) {
  const { candidateType, address, port } = candidate;
  if (!['srflx', 'prflx'].includes(candidateType)) return candidateType;
  const hasHiddenHost = known.some(other => isHiddenHost(other) && other.port === port);
  if (address && isPrivate(address) && hasHiddenHost) return 'host';
  if (candidateType === 'srflx') return 'srflx';
  const told = known.find(other => other.address === address && other.port === port);
  if (told) return told.type;
  if (address && servers.has(address)) return 'relay';
  return known.length && known.every(isHiddenHost) && isPrivate(address) ? 'host' : 'prflx';
}

const isHiddenHost = ({ address, type }) => type === 'host' && Boolean(address?.endsWith('.local'));

// Chromium omits relayProtocol when it is UDP.
export function relayTransport({ relayProtocol, url }) {
  if (relayProtocol) return relayProtocol;
  if (url?.startsWith('turns:')) return 'tls';
  return /[?&]transport=tcp/.test(url ?? '') ? 'tcp' : 'udp';
}

export function isPrivate(address) {
  if (!address) return true; // hidden: a browser hides only addresses of its own network
  const [a, b] = address.split('.').map(Number);
  if (isAddress(address) && !address.includes(':'))
    return a === 10 || a === 127 || (a === 192 && b === 168) || (a === 172 && b >= 16 && b < 32)
      || (a === 169 && b === 254) || (a === 100 && b >= 64 && b < 128);
  return /^(::1|f[cd][0-9a-f]{2}:.*|fe[89ab][0-9a-f]:.*|localhost|.*\.local)$/i.test(address);
}

// Returns the host of a stun: or turn: URL, without brackets.
export function hostOf(url) {
  const rest = url.replace(/^(stun|turn)s?:/i, '').replace(/\?.*$/, '');
  const bracketed = /^\[([^\]]+)\]/.exec(rest);
  return bracketed ? bracketed[1] : rest.replace(/:\d+$/, '');
}

const urlsOf = iceServers => iceServers.flatMap(({ urls }) => urls);

export const isAddress = host => /^\d+(\.\d+){3}$/.test(host) || host.includes(':');

export const turnAddresses = iceServers => new Set(
  urlsOf(iceServers).filter(url => /^turns?:/i.test(url)).map(hostOf).filter(isAddress));
