// Starts the daemon with signaling, on ports that it chooses itself.
import { createHmac } from 'node:crypto';
import { startTurnpike } from '../../browser/support/daemon.mjs';

// `signaling` contains lines of YAML for that section, `more` lines for the top level.
export async function startServer({
  signaling = [], more = [], scheme = 'http', host = '127.0.0.1', port = 0, listen = 'udp://127.0.0.1:0',
} = {}) {
  const daemon = await startTurnpike([
    'realm: example.org',
    `listen: ["${listen}"]`,
    'relay: {addresses: [127.0.0.1]}',
    'peers: {allow: [127.0.0.0/8]}',
    'signaling:',
    `  listen: ${scheme}://${host}:${port}`,
    ...signaling.map(line => `  ${line}`),
    ...more,
    '',
  ].join('\n'));
  const url = daemon.listeners.find(listener => listener.startsWith(scheme));
  return { ...daemon, url, ws: `${url.replace('http', 'ws')}/ws`, port: Number(new URL(url).port) };
}

export const secret = '0123456789abcdef0123456789abcdef';

const part = object => Buffer.from(JSON.stringify(object)).toString('base64url');

// Returns a JSON Web Token that is signed with `key`.
export function token(claims, { header = { alg: 'HS256', typ: 'JWT' }, key = secret } = {}) {
  const content = `${part(header)}.${part(claims)}`;
  return `${content}.${createHmac('sha256', key).update(content).digest('base64url')}`;
}

export const inSeconds = seconds => Math.floor(Date.now() / 1000) + seconds;
