// Tests the status page of the admin listener as operators see it on a desk and on a phone, in Chromium and
// Firefox.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { skipReason, skipReasonOfFirefox, startBrowser, startFirefox } from './support/browser.mjs';
import { makeCertificate } from './support/certificate.mjs';
import { within } from './support/cleanup.mjs';
import { startTurnpike } from './support/daemon.mjs';

const browsers = {
  Chromium: { skip: skipReason(), start: startBrowser },
  Firefox: { skip: skipReasonOfFirefox(), start: startFirefox },
};

async function startServer(t) {
  const { certificate, privateKey } = makeCertificate('turn.example.org');
  const server = await startTurnpike(['realm: example.org', 'workers: 2',
    'listen: ["udp://127.0.0.1:0", "tls://127.0.0.1:0"]',
    `tls: {certificate: ${certificate}, private_key: ${privateKey}}`, 'relay: {addresses: [127.0.0.1]}',
    'auth: {users: {alice: secret}}', 'peers: {allow: [127.0.0.0/8]}', 'limits: {allocations: 200}',
    'admin: {listen: "http://127.0.0.1:0"}', ''].join('\n'));
  let running = true;
  const stop = async () => { if (running) await server.stop(); running = false; };
  t.after(stop);
  return { ...server, stop, url: server.log().match(/admin: listening on (http:\S+)/)[1] };
}

// Starts two clients of another project, which talk until the end of the test.
function startCall(t, server) {
  const port = new URL(server.listeners[0].replace('udp', 'http')).port;
  const client = spawn('turnutils_uclient', ['-y', '-c', '-m', '2', '-n', '100000', '-z', '10', '-l', '100',
    '-u', 'alice', '-w', 'secret', '-p', port, '127.0.0.1'], { stdio: 'ignore' });
  const ended = new Promise(resolve => client.once('close', resolve));
  t.after(() => { client.kill('SIGKILL'); return ended; });
}

for (const [name, { skip, start }] of Object.entries(browsers)) {
  test(`the status page in ${name}`, { skip, timeout: 120_000 }, async t => {
    const server = await startServer(t);
    const browser = await start();
    t.after(browser.close);
    const page = await browser.openPage('about:blank');
    const asked = new Set();
    page.on('request', request => asked.add(request.url()));
    const until = (what, condition) =>
      within(20_000, `${name}: ${what}`, page.waitForFunction(condition, { polling: 50 }));
    const text = selector => page.$eval(selector, element => element.textContent);

    await page.goto(`${server.url}/`);
    await until('the first answer', () => /^ready, up \d/.test(document.querySelector('#state').textContent));
    assert.equal(await text('#allocations'), '0');
    assert.deepEqual(await page.$$eval('#listeners li', items => items.map(item => item.textContent)),
      server.listeners.filter(url => !url.startsWith('http')));
    assert.equal(await text('#certificates td'), 'turn.example.org');
    assert.equal(await page.$$eval('#certificates .soon', dates => dates.length), 1, 'it expires in two days');
    assert.equal((await page.$$('#workers tbody tr')).length, 2);

    startCall(t, server);
    await until('what goes on, by itself', () => {
      const shown = id => document.getElementById(id).textContent;
      return shown('allocations') !== '0' && !shown('up').startsWith('0 ') && !shown('down').startsWith('0 ');
    });
    assert.match(await text('#limits tbody'), /^allocations[1-9]200/);

    // Nothing is wider than the page, or than its part of the page.
    for (const width of [1280, 390, 320]) {
      await page.setViewport({ width, height: 800 });
      await until(`the page at a width of ${width}`, `innerWidth === ${width}`);
      const tooWide = await page.$$eval('html, section, table', elements => elements
        .filter(element => element.scrollWidth > element.clientWidth ||
          element.getBoundingClientRect().right > document.documentElement.clientWidth)
        .map(element => element.id || element.textContent.trim().slice(0, 20)));
      assert.deepEqual(tooWide, [], `at a width of ${width}`);
    }

    // The first Tab leads to the first link, and this can be seen.
    await page.keyboard.press('Tab');
    assert.deepEqual(await page.evaluate(() => [document.activeElement.getAttribute('href'),
      getComputedStyle(document.activeElement).outlineStyle]), ['/metrics', 'solid']);

    // Between two answers the daemon is started again, with one more worker: its numbers begin at zero.
    await page.evaluate(() => {
      const { fetch } = window;
      window.fetch = async (...what) => {
        const status = await (await fetch(...what)).json();
        status.per_worker.push(status.per_worker[0]);
        for (const one of [status, ...status.per_worker]) Object.assign(one, { to_peer_bytes: 0, to_client_bytes: 0 });
        return new Response(JSON.stringify({ ...status, uptime_s: 0, requests: 0 }));
      };
    });
    await until('the numbers after a restart', () => /, up 0 s$/.test(document.querySelector('#state').textContent));
    assert.deepEqual([await text('#up'), await text('#down'), await text('#requests')], ['0 bit/s', '0 bit/s', '0.0']);
    assert.equal((await page.$$('#workers tbody tr')).length, 3);

    const elsewhere = [...asked].filter(url => /^(http|ws)s?:/.test(url) && !url.startsWith(`${server.url}/`));
    assert.deepEqual(elsewhere, [], 'nobody else is asked for anything');
    assert.doesNotMatch(page.transcript(), /uncaught|blocked|Content-Security-Policy/i);
    await server.stop();
    await until('that nobody answers', () => document.querySelector('#state.bad')?.textContent.startsWith('no answer'));
  });
}
