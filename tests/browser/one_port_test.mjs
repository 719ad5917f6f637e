// Tests a web site and calls on one port, as a browser sees them: nginx's site under its name, the call page
// under another name, and a call whose pictures go through this port too, by TLS.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { request } from '../signaling/support/http.mjs';
import { skipReason, startBrowser } from './support/browser.mjs';
import { CallPage, byTestId, checker, freePort } from './support/call_page.mjs';
import { flagForAll, makeCertificate } from './support/certificate.mjs';
import { temporaryDirectory } from './support/cleanup.mjs';
import { startTurnpike } from './support/daemon.mjs';
import { gradient } from './support/png.mjs';
import { isInstalled, startNginx } from './support/proxy.mjs';

const [host, www] = ['turn.example.org', 'www.example.org'];

// After this, the page's connections know only TURN by TLS on this port, as behind a firewall that lets
// nothing else through. The connections are kept in `connections`.
const knowOnlyTls = (tab, wanted) => tab.evaluateOnNewDocument(url => {
  const narrowed = ({ iceServers = [], ...configuration }) => ({
    ...configuration,
    iceTransportPolicy: 'relay',
    iceServers: iceServers.map(entry => ({ ...entry, urls: [entry.urls].flat().filter(one => one === url) }))
      .filter(({ urls }) => urls.length > 0),
  });
  globalThis.connections = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration) {
      super(narrowed(configuration));
      globalThis.connections.push(this);
    }
    setConfiguration(configuration) { super.setConfiguration(narrowed(configuration)); }
  };
}, wanted);

// Returns the candidates of this side, and the types of the pair in use. When the other side's packets were
// faster than the signaling, only the address of its candidate is known. Until the candidate has come, this
// returns nothing.
const lookAtPath = async () => {
  const connection = globalThis.connections.find(({ connectionState }) => connectionState === 'connected');
  const stats = await connection?.getStats();
  const all = [...stats?.values() ?? []];
  const pair = stats?.get(all.find(({ type }) => type === 'transport')?.selectedCandidatePairId);
  const types = [pair?.localCandidateId, pair?.remoteCandidateId].map(id => stats?.get(id)?.candidateType);
  return types.every(type => type && type !== 'prflx') && {
    types,
    local: all.filter(({ type }) => type === 'local-candidate')
      .map(({ candidateType, relayProtocol, url }) => `${candidateType} ${relayProtocol} ${url}`),
  };
};

const skip = skipReason() || (isInstalled('nginx') ? false : 'there is no nginx');
test('a web site and a call on one port', { skip, timeout: 120_000 }, async t => {
  const own = makeCertificate(host);
  // The certificate includes the other name, so a browser that has a connection to the site first asks for
  // the call page there.
  const names = [www, '*.example.org'];
  const site = makeCertificate(...names);
  const folder = temporaryDirectory('one-port');
  t.after(folder.remove);
  const root = join(folder.path, 'root');
  const challenge = randomBytes(32).toString('base64url');
  mkdirSync(join(root, '.well-known', 'acme-challenge'), { recursive: true });
  writeFileSync(join(root, 'index.html'), '<!doctype html><title>the site</title>');
  writeFileSync(join(root, '.well-known', 'acme-challenge', challenge), `${challenge}.thumbprint`);

  const [secure, plain] = [await freePort('tcp'), await freePort('tcp')];
  t.after(await startNginx({ http: `server {
    listen 127.0.0.1:${secure} ssl http2;
    listen 127.0.0.1:${plain};
    server_name ${www};
    ssl_certificate ${site.certificate};
    ssl_certificate_key ${site.privateKey};
    if ($host = ${host}) { return 421; }
    root ${root};
  }` }));
  const daemon = await startTurnpike(`\
realm: example.org
listen:
  - {url: "auto://127.0.0.1:0", web: "127.0.0.1:${secure}"}
  - {url: "auto://127.0.0.1:0", web: "127.0.0.1:${plain}"}
tls: {certificate: ${own.certificate}, private_key: ${own.privateKey}}
relay: {addresses: [127.0.0.1]}
peers: {allow: [127.0.0.0/8]}
limits: {unauthenticated_per_second: 0}
signaling: {listen: [], access: open, public_host: ${host}}
`);
  t.after(daemon.stop);
  // The first listener stands for port 443, and the second for port 80.
  const [port, plainPort] = daemon.listeners.map(url => Number(/^auto:.*:(\d+)$/.exec(url)[1]));

  const flags = [flagForAll(own, site), '--host-resolver-rules=MAP *.example.org 127.0.0.1'];
  const [first, second] = await Promise.all([startBrowser(...flags), startBrowser(...flags)]);
  t.after(() => Promise.all([first.close(), second.close()]));
  const pages = [];
  const check = checker(t, daemon, () => pages.filter(Boolean));
  const [call, elsewhere] = [`https://${host}:${port}/#room=blue`, `https://${www}:${port}/`];
  const turn = `turns:${host}:${port}?transport=tcp`;
  const both = body => Promise.all([body(pages[0], 'Bob'), body(pages[1], 'Ann')]);

  // Checks that the site comes from nginx, with the site's certificate, through turnpike's port.
  async function seeSite(tab) {
    await tab.setCacheEnabled(false);
    const answer = await tab.goto(elsewhere);
    assert.equal(answer.status(), 200);
    assert.equal(await tab.title(), 'the site');
    assert.match(answer.headers().server, /^nginx/);
    assert.equal(answer.remoteAddress().port, port);
    assert.deepEqual(answer.securityDetails().subjectAlternativeNames(), names);
  }

  const siteTab = await first.openPage('about:blank');
  await check('the site by its name', () => seeSite(siteTab));

  await check('an ACME challenge of the site by plain HTTP', async () => {
    const headers = { host: www };
    const answer = await request(`http://127.0.0.1:${plainPort}`, `/.well-known/acme-challenge/${challenge}`, { headers });
    assert.deepEqual([answer.status, answer.body.toString()], [200, `${challenge}.thumbprint`]);
  });

  await check('the call page by the other name, and a call through nothing but this port', async () => {
    await Promise.all([first, second].map(async (browser, i) => {
      const tab = await browser.openPage('about:blank');
      pages[i] = new CallPage(tab);
      await tab.setViewport({ width: 1280, height: 800 });
      await knowOnlyTls(tab, turn);
      const answer = await tab.goto(call);
      assert.equal(answer.remoteAddress().port, port);
      assert.deepEqual(answer.securityDetails().subjectAlternativeNames(), [host]);
      await pages[i].join(i === 0 ? 'Ann' : 'Bob');
    }));
    const relayed = { state: 'connected', path: 'relay', transport: 'tls' };
    await both((page, name) => page.untilTile(name, relayed, { within: 20_000 }));
    await both((page, name) => page.untilMore(name, 'frames', 20));
    for (const page of pages) {
      const { types, local } = await page.until('the path', lookAtPath);
      assert.deepEqual(types, ['relay', 'relay']);
      assert.ok(local.length > 0);
      for (const candidate of local) assert.equal(candidate, `relay tls ${turn}`);
    }
  });

  await check('a picture that is sent', async () => {
    const [ann, bob] = pages;
    const file = join(folder.path, 'picture.png');
    writeFileSync(file, gradient(320, 200));
    await Promise.all(pages.map(page => page.click('open-chat')));
    await (await ann.page.$(byTestId('file-input'))).uploadFile(file);
    await bob.until('the picture', () => document.querySelector('[data-testid="picture"]')?.naturalWidth === 320);
  });

  await check('the site while the call goes on', async () => {
    await seeSite(siteTab);
    await both((page, name) => page.untilMore(name, 'frames', 20));
    await both(page => assert.deepEqual(page.complaints(), []));
  });
});
