// Tests the connection check: it must show every candidate, and a correct verdict for a server with STUN and
// TURN over UDP only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipReason, startBrowser } from './support/browser.mjs';
import { CallPage, byTestId, checker, startCallServer } from './support/call_page.mjs';

test('the connection check', { skip: skipReason(), timeout: 120_000 }, async t => {
  const server = await startCallServer();
  t.after(server.stop);
  const browser = await startBrowser();
  t.after(browser.close);
  let page = await CallPage.open(browser, `${server.url}/`);
  const check = checker(t, server, () => [page]);
  const done = () => page.until('the end of the check', () =>
    document.querySelector('#report').dataset.state === 'done', { within: 30_000 });
  const verdicts = () => page.page.$$eval(byTestId('verdict'), nodes =>
    Object.fromEntries(nodes.map(({ dataset }) => [dataset.probe, dataset.state])));

  await check('a server with UDP only', async () => {
    await page.click('open-diagnostics');
    await done();
    assert.deepEqual(await verdicts(),
      { stun: 'ok', 'turn-udp': 'ok', 'turn-tcp': 'absent', 'turn-tls': 'absent' });
    await page.untilText('verdict', 'came back in');
    await page.untilText('verdict', 'Not offered by this server.');
    assert.equal(await page.page.$eval(byTestId('summary'), ({ dataset }) => dataset.tone), 'good');
    const types = await page.page.$$eval(byTestId('candidate'), rows =>
      rows.map(row => row.cells[1].textContent));
    assert.ok(types.includes('host') && types.includes('relay'), types.join(' '));
  });

  await check('the report can be copied, without the credentials', async () => {
    await browser.setPermissions(server.url,
      ['clipboard-read', 'clipboard-sanitized-write', 'camera', 'microphone']);
    await page.page.bringToFront();
    await page.click('diagnostics-copy');
    await page.until('the confirmation', () =>
      document.querySelector('#diagnostics-copy').dataset.state === 'copied');
    const text = await page.page.evaluate(() => navigator.clipboard.readText());
    assert.match(text, /TURN over UDP: Works/);
    assert.match(text, /relay/);
    const { iceServers } = await (await fetch(`${server.url}/ice-servers`)).json();
    const { username } = iceServers.find(entry => entry.username);
    assert.ok(!text.includes(username.split(':')[1] ?? username), 'no user name');
    await page.click('diagnostics-close');
    await page.see('join');
  });

  await check('by its own link, and when nothing answers', async () => {
    await page.page.close();
    const tab = await browser.openPage('about:blank');
    page = new CallPage(tab);
    await tab.setRequestInterception(true);
    tab.on('request', request => request.url().endsWith('/ice-servers')
      ? request.respond({
        contentType: 'application/json',
        body: JSON.stringify({ iceServers: [{ urls: ['stun:127.0.0.1:9'] },
          { urls: ['turn:127.0.0.1:9?transport=tcp'], username: 'u', credential: 'p' }] }),
      })
      : request.continue());
    await tab.goto(`${server.url}/#diagnostics`);
    await done();
    assert.deepEqual(await verdicts(),
      { stun: 'failed', 'turn-udp': 'absent', 'turn-tcp': 'failed', 'turn-tls': 'absent' });
    assert.equal(await tab.$eval(byTestId('summary'), ({ dataset }) => dataset.tone), 'bad');
  });

  await check('what is said about NATs, tunnels and servers that others can not reach', async () => {
    const said = await page.page.evaluate(async () => {
      const { remarks } = await import('/diagnostics/verdict.mjs');
      const stun = host => ({ kind: 'stun', url: `stun:${host}:3478` });
      const inside = { relatedAddress: '192.168.0.7', relatedPort: 5000 };
      const seen = port => ({ address: '203.0.113.5', port, ...inside });
      const look = (targets, reflexive, mappings, hostname) => remarks({
        targets, mappings, page: { hostname },
        results: targets.map(target => ({ ...target, state: 'ok', reflexive })),
      }).map(({ key }) => key).join(' ');
      const two = [stun('198.51.100.1'), stun('198.51.100.2')];
      return {
        open: look(two, [], [], '198.51.100.1'),
        one: look([stun('198.51.100.1')], [seen(5000)], [], '198.51.100.1'),
        cone: look(two, [seen(5000)], [seen(5000)], '198.51.100.1'),
        symmetric: look(two, [seen(5000)], [seen(5000), seen(5001)], '198.51.100.1'),
        tunnel: look([stun('192.168.0.2')], [seen(1)], [], 'calm-otter.loca.lt'),
        proxy: look([stun('192.168.0.2')], [seen(1)], [], 'call.example.org'),
        home: look([stun('192.168.0.2')], [], [], '192.168.0.2'),
      };
    });
    assert.deepEqual(said, {
      open: 'nat.none',
      one: 'nat.some nat.oneServer',
      cone: 'nat.some nat.cone',
      symmetric: 'nat.some nat.symmetric',
      tunnel: 'nat.some nat.oneServer note.tunnel',
      proxy: 'nat.some nat.oneServer note.tunnel note.privateRelay',
      home: 'nat.none',
    });
  });

  await check('the path is judged by what is known of both ends', async () => {
    const judged = await page.page.evaluate(async () => {
      const { judgePath } = await import('/app/path.mjs');
      const look = (local, remote, context) => {
        const stats = new Map([
          { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
          { id: 'p', type: 'candidate-pair', localCandidateId: 'l', remoteCandidateId: 'r' },
          { id: 'l', type: 'local-candidate', protocol: 'udp', ...local },
          { id: 'r', type: 'remote-candidate', protocol: 'udp', ...remote },
        ].map(entry => [entry.id, entry]));
        const { path, transport } = judgePath(stats, context);
        return `${path} ${transport}`;
      };
      const host = { candidateType: 'host', address: '192.168.0.7', port: 1 };
      const reflexive = { candidateType: 'prflx', address: '203.0.113.5', port: 2 };
      const relay = { candidateType: 'relay', address: '198.51.100.1', port: 3 };
      const early = { ...relay, candidateType: 'prflx' };
      const servers = new Set(['198.51.100.1']);
      return [
        look(host, host), look(host, reflexive, { servers }), look(relay, host), look(host, relay),
        look({ ...relay, relayProtocol: 'tls' }, host),
        look({ ...relay, url: 'turn:198.51.100.1:3478?transport=tcp' }, host),
        look(host, early, { servers }),
        look(host, early, { known: [{ address: early.address, port: 3, type: 'relay' }] }),
        look(host, early, { servers, known: [{ address: early.address, port: 3, type: 'srflx' }] }),
        look(host, { ...reflexive, address: '192.168.0.9' },
          { known: [{ address: 'x.local', type: 'host' }] }),
      ];
    });
    assert.deepEqual(judged, [
      'direct udp', 'nat udp', 'relay udp', 'relay udp', 'relay tls', 'relay tcp', 'relay udp', 'relay udp',
      'nat udp', 'direct udp',
    ]);
  });

  await check('and nothing was complained of', async () => {
    assert.deepEqual(page.complaints(), []);
  });
});
