// The connection check: every candidate, and a verdict that is right for a server with STUN and TURN over UDP
// only.
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

  await check('and nothing was complained of', async () => {
    assert.deepEqual(page.complaints(), []);
  });
});
