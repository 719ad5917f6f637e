// Tests a course's own front end, which turnpike serves from signaling.root, in two pages that only the relay
// connects.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { skipReason, startBrowser } from './support/browser.mjs';
import { startTurnpike } from './support/daemon.mjs';

const config = `\
realm: example.org
listen: [udp://127.0.0.1:0]
relay: {addresses: [127.0.0.1]}
peers: {allow: [127.0.0.0/8]}
limits: {unauthenticated_per_second: 0}
signaling:
  listen: http://127.0.0.1:0
  root: ${fileURLToPath(new URL('pages/course', import.meta.url))}
`;

test('a course\'s own front end in a relayed call', { skip: skipReason(), timeout: 60_000 }, async t => {
  const server = await startTurnpike(config);
  t.after(server.stop);
  const url = server.listeners.find(listener => listener.startsWith('http'));
  const pages = []; // each page has its own browser, since a browser slows down pages in the background
  for (let i = 0; i < 2; ++i) {
    const browser = await startBrowser();
    t.after(browser.close);
    pages.push(await browser.openPage(`${url}/?relay`));
  }
  const explained = async promise => promise.catch(error => {
    const transcripts = pages.map(page => page.transcript()).join('\n---\n');
    throw new Error(`${error.message}\n${transcripts}\n--- server ---\n${server.log()}`, { cause: error });
  });

  const until = (page, condition) => explained(page.waitForFunction(condition, { polling: 100, timeout: 20_000 }));

  for (const page of pages) {
    await page.type('#room', 'blue');
    await page.click('#enter button');
    await until(page, () => document.getElementById('myFace').srcObject);
  }
  for (const page of pages) {
    await until(page, async () => {
      const stats = [...(await peer.getStats()).values()]; // eslint-disable-line no-undef
      return stats.some(({ kind, framesDecoded }) => kind === 'video' && framesDecoded > 20);
    });
    const types = await page.evaluate(async () => {
      const stats = await peer.getStats(); // eslint-disable-line no-undef
      const all = [...stats.values()];
      const pair = all.find(({ type, nominated, state }) =>
        type === 'candidate-pair' && nominated && state === 'succeeded');
      return [pair.localCandidateId, pair.remoteCandidateId].map(id => stats.get(id).candidateType);
    });
    assert.ok(types.includes('relay'), String(types));
  }
  const [ann, bob] = pages;
  await until(bob, () => channel?.readyState === 'open'); // eslint-disable-line no-undef
  await ann.type('#text', 'hello');
  await ann.click('#chat button');
  await until(bob, () => document.getElementById('messages').textContent === 'Peer: hello');
  await ann.close();
  await until(bob, () => document.getElementById('messages').textContent.endsWith('Peer left'));
});
