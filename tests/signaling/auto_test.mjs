// Tests the signaling endpoint on a port that also serves TURN: pages, WebSockets and Socket.IO through an
// auto:// listener.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { within } from '../browser/support/cleanup.mjs';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { member } from './support/client.mjs';
import { exchange, request } from './support/http.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

const stunclient = process.env.STUNCLIENT ?? fileURLToPath(new URL('../../build/release/stunclient', import.meta.url));

async function startServer(tls) {
  const daemon = await startTurnpike(`\
realm: example.org
listen: ["auto://127.0.0.1:0"]
relay: {addresses: [127.0.0.1]}
peers: {allow: [127.0.0.0/8]}
signaling: {listen: [], access: open}
${tls ? `tls: {certificate: ${tls.certificate}, private_key: ${tls.privateKey}}` : ''}
`);
  const { port } = new URL(daemon.listeners[0]);
  const scheme = tls ? 'https' : 'http';
  const url = `${scheme}://127.0.0.1:${port}`;
  return { ...daemon, port: Number(port), url, ws: `${url.replace('http', 'ws')}/ws` };
}

for (const secure of [true, false]) {
  test(`all protocols on one port, ${secure ? 'by https' : 'by http, without a certificate'}`, async t => {
    const server = await startServer(secure && makeCertificate('127.0.0.1'));
    t.after(server.stop);
    const trusting = { rejectUnauthorized: false };

    assert.match((await request(server.url, '/')).body.toString(), /<html/);
    const { body } = await request(server.url, '/ice-servers');
    const { iceServers: [turn] } = JSON.parse(body);
    assert.deepEqual(turn.urls, [`turn:127.0.0.1:${server.port}?transport=tcp`,
      ...secure ? [`turns:127.0.0.1:${server.port}?transport=tcp`] : []]);
    for (const uri of turn.urls)
      execFileSync(stunclient, ['--turn', '--user', turn.username, uri],
        { env: { ...process.env, STUNCLIENT_PASSWORD: turn.credential }, stdio: 'pipe', timeout: 10_000 });

    const ann = await member(server.ws, 'blue', 'Ann', trusting);
    const bob = await member(server.ws, 'blue', 'Bob', trusting);
    await ann.hear('peer-joined');
    await bob.request({ type: 'signal', to: ann.id, data: 'x'.repeat(60_000) });
    assert.equal((await ann.hear('signal')).data.length, 60_000);

    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      const socket = io(server.url, { transports, forceNew: true, ...trusting });
      await within(8000, `Socket.IO by ${transports}`, new Promise(resolve => socket.on('connect', resolve)));
      socket.close();
    }

    const plain = await exchange(server.port, 'GET /ws HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n');
    assert.match(plain, secure ? /^HTTP\/1.1 308 .*Location: https:\/\/127.0.0.1:1\/ws\r/s : /^HTTP\/1.1 426/);
    assert.equal(await server.stop(), 0);
    await Promise.all([ann.ended, bob.ended]);
  });
}
