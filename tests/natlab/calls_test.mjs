// Tests calls between two browsers behind NATs, with the page and the relay that the daemon serves: both soon
// see each other's picture, on the best possible path, and the page names this path, as the routers confirm.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { skipReason } from '../browser/support/browser.mjs';
import { startTurnpike } from '../browser/support/daemon.mjs';
import {
  cameraRuns, joinCall, missRelayedCandidates, seenBy, startBrowserOn, useRelayOnly,
} from './support/call.mjs';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { inside, makeLab, publicNetwork, server } from './support/lab.mjs';
import { until } from './support/until.mjs';

// The ways to reach turnpike for TURN. Calls that need a way that is missing here are skipped.
const transports = ['udp', 'tcp', 'tls'];

// The page and TURN by TLS are both on port 443 of one address.
const [address] = server.addresses;
const listeners = {
  udp: `udp://${address}:3478`,
  tcp: `tcp://${address}:3478`,
  tls: `auto://${address}:443`,
};
const origins = { plain: `http://${address}:${server.signalingPort}`, tls: `https://${address}` };

// These are the pairs of callers, the path that their media must take, and the counter of each home's router
// that must rise. A port-restricted cone cannot know from where a symmetric NAT will send, so such a pair
// needs the relay. A full cone accepts packets from anywhere.
const calls = [
  { nats: ['cone', 'cone'], path: 'nat', transport: 'udp', ways: ['peers', 'peers'] },
  { nats: ['full-cone', 'symmetric'], path: 'nat', transport: 'udp', ways: ['peers', 'peers'] },
  { nats: ['cone', 'symmetric'], path: 'relay', transport: 'udp', ways: ['server_udp', 'server_udp'] },
  { nats: ['symmetric', 'symmetric'], path: 'relay', transport: 'udp', ways: ['server_udp', 'server_udp'] },
  { nats: ['cone', 'udp-blocked'], path: 'relay', transport: 'tcp', ways: ['server_udp', 'server_tcp'] },
  { nats: ['cone', 'tls-443-only'], path: 'relay', transport: 'tls', ways: ['server_udp', 'server_tcp'] },
  { nats: ['symmetric'], path: 'direct', transport: 'udp', ways: ['none'] }, // two at one home
];

const soon = 5000; // after the second one pressed the button

function configuration(tls) {
  const urls = transports.map(transport => listeners[transport]);
  const files = tls ? `tls: {certificate: ${tls.certificate}, private_key: ${tls.privateKey}}` : '';
  return `\
realm: example.org
listen: [${urls.join(', ')}]
${files}
peers: {allow: [${publicNetwork}]}
signaling: {listen: ${origins.plain}, access: open}
`;
}

test('calls through NATs', { skip: skipReason(), timeout: 120_000 }, async t => {
  const homes = makeLab();
  const tls = transports.includes('tls') && makeCertificate(address);
  const daemon = await startTurnpike(configuration(tls), inside(server.namespace));
  t.after(daemon.stop);

  let rooms = 0;
  const browsers = new Map();
  function browserOn(host) {
    if (!browsers.has(host)) {
      const trust = `--unsafely-treat-insecure-origin-as-secure=${origins.plain}`; // with the camera
      const starting = startBrowserOn(host, trust, ...tls ? [tls.flag] : []);
      browsers.set(host, starting);
      t.after(async () => (await starting).close());
    }
    return browsers.get(host);
  }

  const frames = pages => Promise.all(pages.map(async page => (await seenBy(page)).frames));

  // Waits until each page has shown this many more pictures of the other one.
  async function morePictures(pages, count, milliseconds, before = pages.map(() => 0)) {
    let now = before;
    await until(milliseconds, () => `${count} pictures on both sides (${before} → ${now})`, async () => {
      now = await frames(pages);
      return now.every((shown, index) => shown >= before[index] + count);
    });
  }

  // Returns, for each router, the counter that has counted nearly all bytes while pictures were shown.
  async function waysTaken(routers, pages) {
    const before = routers.map(router => router.counters());
    await morePictures(pages, 30, 10_000, await frames(pages));
    return routers.map((router, index) => {
      const now = router.counters();
      const bytes = ['peers', 'server_udp', 'server_tcp'].map(way =>
        [way, now[way].bytes - before[index][way].bytes]);
      t.diagnostic(`${router.router}: ${bytes.map(way => way.join(' ')).join(', ')} bytes`);
      const total = bytes.reduce((sum, [, count]) => sum + count, 0);
      if (total < 10_000) return 'none';
      return bytes.find(([, count]) => count > 0.9 * total)?.[0] ?? 'mixed';
    });
  }

  // Starts a call of two people behind these NATs, or at one home, who see each other: body({ pages, routers
  // }).
  async function inCall(nats, body, { beforehand = () => {} } = {}) {
    const room = `room-${++rooms}`;
    const routers = [homes.a, homes.b].slice(0, nats.length);
    routers.forEach((router, index) => router.setNat(nats[index]));
    const hosts = [homes.a.hosts[0], nats.length > 1 ? homes.b.hosts[0] : homes.a.hosts[1]];
    const pages = [];
    try {
      const started = await Promise.all(hosts.map(({ namespace }) => browserOn(namespace)));
      for (const [index, browser] of started.entries()) {
        const origin = nats[index] === 'tls-443-only' ? origins.tls : origins.plain;
        pages.push(await browser.openPage(`${origin}/#room=${room}`));
      }
      for (const page of pages) await cameraRuns(page);
      await joinCall(pages[0]);
      await beforehand(pages);
      const joining = performance.now();
      await joinCall(pages[1]);
      await morePictures(pages, 5, soon - (performance.now() - joining));
      t.diagnostic(`${room}: pictures after ${Math.round(performance.now() - joining)} ms`);
      await body({ pages, routers });
    } catch (error) {
      throw new Error(`${error.message}\n${await context(pages)}`, { cause: error });
    } finally {
      for (const page of pages) await page.close().catch(() => {}); // where the browser has died
    }
  }

  async function context(pages) {
    const sides = await Promise.all(pages.map(async page =>
      `--- ${JSON.stringify(await seenBy(page).catch(String))} ---\n${page.transcript()}`));
    return [...sides, '--- server ---', daemon.log()].join('\n');
  }

  // The badges name the path, and the routers' counters agree.
  async function assertWay({ pages, routers }, { path, transport, ways }) {
    const wanted = `${path} over ${transport}`;
    await until(5000, `both badges say ${wanted}`, async () => (await Promise.all(pages.map(seenBy)))
      .every(seen => `${seen.path} over ${seen.transport}` === wanted));
    // A page that is relayed over TCP searches a path over UDP, at most twice, and this traffic takes other
    // ways.
    let taken = await waysTaken(routers, pages);
    for (let tries = 0; transport !== 'udp' && tries < 2 && !isDeepStrictEqual(taken, ways); tries++)
      taken = await waysTaken(routers, pages);
    assert.deepEqual(taken, ways);
  }

  for (const { nats, ...way } of calls) {
    const who = nats.length > 1 ? nats.join(' and ') : `two behind one ${nats[0]} NAT`;
    const skip = !transports.includes(way.transport) && `no ${way.transport} listener for TURN yet`;
    await t.test(`${who}: ${way.path} over ${way.transport}`, { skip }, () =>
      inCall(nats, call => assertWay(call, way)));
  }

  const relayed = { path: 'relay', transport: 'udp', ways: ['server_udp', 'server_udp'] };

  // For a page that was not told of the relayed address, this address is peer-reflexive, and only a full cone
  // lets its packets in to such a page. The badge still has to name the relay.
  await t.test('one side uses only the relay and the other side does not know: relay over udp', () =>
    inCall(['cone', 'full-cone'], call => assertWay(call, relayed), {
      beforehand: async ([one, other]) => {
        await useRelayOnly(one);
        await missRelayedCandidates(other);
      },
    }));

  await t.test('relay only is switched on in a direct call: relay over udp', () =>
    inCall(['cone', 'cone'], async call => {
      await assertWay(call, { path: 'nat', transport: 'udp', ways: ['peers', 'peers'] });
      await useRelayOnly(call.pages[0]);
      await assertWay(call, relayed);
    }));

  // The first datagrams are lost: the browser is content with TCP, but the page is not.
  await t.test('udp works only after some time: relay over udp', () =>
    inCall(['cone', 'udp-blocked'], async call => {
      const late = homes.b;
      await until(5000, 'a relay over TCP', async () => (await seenBy(call.pages[1])).transport === 'tcp');
      late.setNat('symmetric');
      await assertWay(call, relayed);
    }));

  await t.test('the server stops when it is asked to', async () => {
    const status = await daemon.stop();
    assert.equal(status, 0, `it ended with ${status}\n${daemon.log()}`);
  });
});
