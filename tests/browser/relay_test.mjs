// The two ends of a call that only the relay connects: data goes through it unharmed, and so does a moving
// picture. TURN_URL (with its ?transport=), TURN_USER and TURN_PASSWORD name another server to test instead.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { servePages, skipReason, startBrowser } from './support/browser.mjs';
import { startTurnpike } from './support/daemon.mjs';

const config = `\
realm: example.org
listen: [udp://127.0.0.1:0]
relay: {addresses: [127.0.0.1]}
auth: {users: {alice: secret}}
peers: {allow: [127.0.0.0/8]}
limits: {unauthenticated_per_second: 0}
`;
const megabyte = 1 << 20;

async function startServer() {
  const { TURN_URL, TURN_USER = 'alice', TURN_PASSWORD = 'secret' } = process.env;
  const daemon = TURN_URL
    ? { log: () => `the log of ${TURN_URL} is not here`, stop: async () => 0 }
    : await startTurnpike(config);
  const urls = TURN_URL ?? `${daemon.listeners[0].replace('udp://', 'turn:')}?transport=udp`;
  return { ...daemon, ice: { urls, username: TURN_USER, credential: TURN_PASSWORD } };
}

test('a call that only the relay connects', { skip: skipReason(), timeout: 240_000 }, async t => {
  const server = await startServer();
  t.after(server.stop);
  const web = await servePages();
  t.after(web.close);
  const browser = await startBrowser();
  t.after(browser.close);

  const check = (name, body) => t.test(name, async () => {
    const page = await browser.openPage(`${web.url}/relay.html`);
    try {
      await body(page);
    } catch (error) {
      const context = `--- page ---\n${page.transcript()}\n--- server ---\n${server.log()}`;
      throw new Error(`${error.message}\n${context}`, { cause: error });
    } finally {
      await page.close().catch(() => {}); // where the browser has died there is nothing to close
    }
  });

  function assertRelayed(paths, { atLeast = 0 }) {
    for (const path of paths) {
      assert.equal(path.types, 'relay/relay');
      assert.equal(path.server, server.ice.urls);
      assert.ok(path.bytesSent >= atLeast, `${path.bytesSent} bytes on the path, not ${atLeast}`);
    }
  }

  await check('a megabyte over a data channel and back', async page => {
    const { sent, atB, backAtA, paths } = await page.evaluate(
      (ice, size) => globalThis.relay.echo([ice], size), server.ice, megabyte);
    assert.equal(atB, sent, 'what arrived is what was sent');
    assert.equal(backAtA, sent, 'what came back is what was sent');
    assertRelayed(paths, { atLeast: megabyte });
  });

  await check('a moving picture', async page => {
    const { framesDecoded, paths } = await page.evaluate(
      (ice, frames) => globalThis.relay.camera([ice], frames), server.ice, 50);
    assert.ok(framesDecoded > 50, `${framesDecoded} frames decoded`);
    assertRelayed(paths, {});
  });

  await t.test('the server stops when asked to', async () => {
    const status = await server.stop();
    assert.equal(status, 0, `it ended with ${status}\n${server.log()}`);
  });
});
