// The two ends of a call that only the relay connects, by UDP, TCP and TLS: data goes through it unharmed, and so
// does a moving picture. TURN_URL (with its ?transport=), TURN_USER and TURN_PASSWORD name another server to test
// instead.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificate } from './support/certificate.mjs';
import { servePages, skipReason, startBrowser } from './support/browser.mjs';
import { startTurnpike } from './support/daemon.mjs';

const config = tls => `\
realm: example.org
listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0, tls://127.0.0.1:0]
tls: {certificate: ${tls.certificate}, private_key: ${tls.privateKey}}
relay: {addresses: [127.0.0.1]}
auth: {users: {alice: secret}}
peers: {allow: [127.0.0.0/8]}
limits: {unauthenticated_per_second: 0}
`;
const megabyte = 1 << 20;

// Its entries are iceServers, one for each way to reach it.
async function startServer(tls) {
  const { TURN_URL, TURN_USER = 'alice', TURN_PASSWORD = 'secret' } = process.env;
  const daemon = TURN_URL
    ? { log: () => `the log of ${TURN_URL} is not here`, stop: async () => 0 }
    : await startTurnpike(config(tls));
  const urls = TURN_URL ? [TURN_URL] : daemon.listeners.map(listener => listener
    .replace(/^udp:..(.*)/, 'turn:$1?transport=udp')
    .replace(/^tcp:..(.*)/, 'turn:$1?transport=tcp')
    .replace(/^tls:..(.*)/, 'turns:$1?transport=tcp'));
  return { ...daemon, entries: urls.map(url => ({ urls: url, username: TURN_USER, credential: TURN_PASSWORD })) };
}

test('a call that only the relay connects', { skip: skipReason(), timeout: 240_000 }, async t => {
  const tls = makeCertificate('127.0.0.1');
  const server = await startServer(tls);
  t.after(server.stop);
  const web = await servePages();
  t.after(web.close);
  const browser = await startBrowser(tls.flag);
  t.after(browser.close);

  const check = (name, body) => t.test(name, async () => {
    const page = await browser.openPage(`${web.url}/relay.html`);
    try {
      await body(page);
    } catch (error) {
      const context = `--- page ---\n${page.transcript()}\n--- server ---\n${server.log()}`;
      throw new Error(`${error.message}\n${context}`, { cause: error });
    } finally {
      await page.close().catch(() => {}); // a browser that has crashed has nothing to close
    }
  });

  function assertRelayed(paths, ice, { atLeast = 0 }) {
    for (const path of paths) {
      assert.equal(path.types, 'relay/relay');
      assert.equal(path.server, ice.urls);
      assert.ok(path.bytesSent >= atLeast, `${path.bytesSent} bytes on the path, not ${atLeast}`);
    }
  }

  for (const ice of server.entries) {
    await check(`a megabyte over a data channel and back, ${ice.urls}`, async page => {
      const { sent, atB, backAtA, paths } = await page.evaluate(
        (entry, size) => globalThis.relay.echo([entry], size), ice, megabyte);
      assert.equal(atB, sent, 'what arrived is what was sent');
      assert.equal(backAtA, sent, 'what came back is what was sent');
      assertRelayed(paths, ice, { atLeast: megabyte });
    });

    await check(`a moving picture, ${ice.urls}`, async page => {
      const { framesDecoded, paths } = await page.evaluate(
        (entry, frames) => globalThis.relay.camera([entry], frames), ice, 50);
      assert.ok(framesDecoded > 50, `${framesDecoded} frames decoded`);
      assertRelayed(paths, ice, {});
    });
  }

  await t.test('the server stops when it is asked to', async () => {
    const status = await server.stop();
    assert.equal(status, 0, `it ended with ${status}\n${server.log()}`);
  });
});
