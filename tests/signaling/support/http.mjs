// Sends requests through Node's client, or as raw bytes.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { within } from '../../browser/support/cleanup.mjs';

// Resolves to { status, headers, body }. The path is sent unchanged, with all its dots.
export function request(url, path, { method = 'GET', headers = {}, body, ...options } = {}) {
  const { protocol, hostname, port } = new URL(url);
  const library = protocol === 'https:' ? https : http;
  // All options are in one object: beside a separate URL, Node 18 would use that URL's path.
  const target = { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, path, method, headers };
  return within(15_000, `${method} ${path}`, new Promise((resolve, reject) => {
    const sent = library.request({ ...target, rejectUnauthorized: false, ...options }, response => {
      const chunks = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('end', () => resolve(
        { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    sent.on('error', reject);
    sent.end(body);
  }));
}

// Sends bytes and resolves to everything that comes back until the other side closes.
export function exchange(port, bytes, patience = 20_000) {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', data => { text += data; });
  socket.on('error', () => {});
  socket.write(bytes);
  return within(patience, 'the end of the connection', new Promise(resolve => socket.on('close', () => resolve(text))));
}
