// Tests that the page reports, in words that help and in both languages, what is missing: devices,
// permissions, a token, a server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipReason, startBrowser, without } from './support/browser.mjs';
import { CallPage, byTestId, checker, makeToken, startCallServer } from './support/call_page.mjs';

const fakes = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
const notes = page => page.until('a note', () =>
  [...document.querySelectorAll('.note')].map(({ dataset }) => dataset.note).join(' '));

test('the call page says what has gone wrong', { skip: skipReason(), timeout: 120_000 }, async t => {
  const server = await startCallServer({ extra: 'hosts: [call.test]' });
  t.after(server.stop);
  const browser = await startBrowser();
  t.after(browser.close);
  let page = null;
  const check = checker(t, server, () => page ? [page] : []);
  const open = async (url, from = browser) => {
    if (page?.page.browser().connected && !page.page.isClosed()) await page.page.close();
    page = await CallPage.open(from, url);
    return page;
  };

  await check('no devices: one can join all the same, and be told why', async () => {
    const bare = await startBrowser(without(fakes[0]));
    try {
      await open(`${server.url}/#room=quiet`, bare);
      assert.equal(await notes(page), 'trouble.both.missing');
      await page.untilText('device-notes', 'No camera and no microphone were found');
      await page.join('Ann');
      await page.click('camera-call');
      await page.until('the reason', () => document.querySelector('[data-toast="trouble.video.missing"]'));
      assert.deepEqual(page.complaints(), []);
    } finally {
      await page.page.close();
      await bare.close();
    }
  });

  await check('an insecure page', async () => {
    const rules = `--host-resolver-rules=MAP call.test ${new URL(server.url).hostname}`;
    const insecure = await startBrowser(rules);
    try {
      await open(`${server.url.replace('127.0.0.1', 'call.test')}/#room=quiet`, insecure);
      assert.equal(await notes(page), 'trouble.insecure');
      await page.untilText('device-notes', 'Open this page by https://');
      await page.join('Ann');
      await page.see('alone');
      await page.click('invite');
      await page.untilText('invite', 'Link copied');
      assert.deepEqual(page.complaints(), []);
    } finally {
      await page.page.close();
      await insecure.close();
    }
  });

  await check('permission denied', async () => {
    const strict = await startBrowser(without(fakes[1]));
    try {
      await strict.setPermissions(server.url, []);
      await open(`${server.url}/#room=quiet`, strict);
      assert.equal(await notes(page), 'trouble.both.denied');
      await page.untilText('device-notes', 'Allow them by the symbol beside the address');
      await page.join('Ann', { bare: true });
      await page.see('alone');
      assert.deepEqual(page.complaints(), []);
    } finally {
      await page.page.close();
      await strict.close();
    }
  });

  await check('a camera that is in use', async () => {
    const page2 = await browser.openPage('about:blank');
    page = new CallPage(page2);
    await page2.evaluateOnNewDocument(() => {
      const { getUserMedia } = MediaDevices.prototype;
      MediaDevices.prototype.getUserMedia = async function open(constraints) {
        if (constraints.video) throw new DOMException('Could not start video source', 'NotReadableError');
        return getUserMedia.call(this, constraints);
      };
    });
    await page2.goto(`${server.url}/#room=quiet`);
    assert.equal(await notes(page), 'trouble.video.busy');
    assert.equal(await page2.$eval(byTestId('preview'), ({ dataset }) => dataset.microphone), 'on');
  });

  await check('who joins without devices while they are being opened has none', async () => {
    await page.page.close();
    const tab = await browser.openPage('about:blank');
    page = new CallPage(tab);
    await tab.evaluateOnNewDocument(() => {
      const { getUserMedia } = MediaDevices.prototype;
      globalThis.opened = new Promise(resolve => {
        MediaDevices.prototype.getUserMedia = async function open(constraints) {
          const stream = await getUserMedia.call(this, constraints);
          await new Promise(goOn => { globalThis.goOn = goOn; });
          setTimeout(() => resolve(stream.getTracks().map(({ readyState }) => readyState)));
          return stream;
        };
      });
    });
    await tab.goto(`${server.url}/#room=quiet`);
    await page.until('devices to be opened', () => globalThis.goOn);
    await page.join('Ann', { bare: true });
    const states = await tab.evaluate(() => {
      globalThis.goOn();
      return globalThis.opened;
    });
    assert.deepEqual(states, ['ended', 'ended']);
    await page.untilTile('Ann', { camera: 'off', mic: 'off' });
  });

  await check('who comes muted is seen to speak later, and hears so in the lobby too', async () => {
    await open(`${server.url}/#room=quiet`);
    const isMicrophone = state => page.until(`the microphone to be ${state}`, wanted =>
      document.querySelector('#preview').dataset.microphone === wanted, { args: [state] });
    await isMicrophone('on');
    await page.click('mic');
    await isMicrophone('off');
    await page.join('Ann');
    await page.click('mic-call');
    await page.untilTile('Ann', { mic: 'on', speaking: 'true' });
    await page.click('mic-call');
    await page.page.reload();
    await page.until('a microphone', () => document.querySelector('[data-testid="microphone-choice"]').value);
    await isMicrophone('off');
    await page.click('mic');
    await page.until('its level', () => Number(document.querySelector('#meter').ariaValueNow) > 0);
  });

  await check('in place of a microphone that is pulled out there is another, in whatever order this is told', async () => {
    await page.page.close();
    const tab = await browser.openPage('about:blank');
    page = new CallPage(tab);
    await tab.evaluateOnNewDocument(() => {
      const { enumerateDevices, getUserMedia } = MediaDevices.prototype;
      globalThis.opened = [];
      globalThis.gone = new Set();
      MediaDevices.prototype.getUserMedia = async function open(constraints) {
        const [left] = (await this.enumerateDevices()).filter(({ kind }) => kind === 'audioinput');
        const audio = constraints.audio && { deviceId: { exact: left.deviceId } };
        const stream = await getUserMedia.call(this, { ...constraints, audio });
        globalThis.opened.push(...stream.getAudioTracks());
        return stream;
      };
      MediaDevices.prototype.enumerateDevices = async function list() {
        const devices = await enumerateDevices.call(this);
        return devices.filter(({ deviceId }) => !globalThis.gone.has(deviceId));
      };
    });
    await tab.goto(`${server.url}/#room=quiet`);
    await page.until('a microphone', () => document.querySelector('[data-testid="microphone-choice"]').value);
    await page.join('Ann');
    const pullOut = ({ there, told }) => tab.evaluate((isThere, isTold) => {
      const track = globalThis.opened.at(-1);
      if (!isThere) globalThis.gone.add(track.getSettings().deviceId);
      if (isTold) navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
      return new Promise(resolve => setTimeout(() => {
        track.stop();
        track.dispatchEvent(new Event('ended'));
        resolve();
      }, 100)); // after the page has looked at its devices
    }, there, told);
    const untilOpened = count => page.until(`${count} microphones`, wanted =>
      globalThis.opened.length === wanted && globalThis.opened.at(-1).readyState === 'live', { args: [count] });
    await pullOut({ there: false, told: true });
    await untilOpened(2);
    await page.untilTile('Ann', { mic: 'on' });
    await pullOut({ there: true, told: false }); // permission was withdrawn: one does not ask again
    await page.untilTile('Ann', { mic: 'off' });
    await page.click('mic-call');
    await page.untilTile('Ann', { mic: 'on' });
    assert.equal(await tab.evaluate(() => globalThis.opened.length), 3, 'one has asked again');
    assert.deepEqual(page.complaints(), []);
  });

  await check('a screen that is chosen after the call is not captured', async () => {
    await page.page.close();
    const tab = await browser.openPage('about:blank');
    page = new CallPage(tab);
    await tab.evaluateOnNewDocument(() => {
      const { getDisplayMedia } = MediaDevices.prototype;
      MediaDevices.prototype.getDisplayMedia = async function choose(constraints) {
        await new Promise(goOn => { globalThis.goOn = goOn; });
        globalThis.captured = await getDisplayMedia.call(this, constraints);
        return globalThis.captured;
      };
    });
    await tab.goto(`${server.url}/#room=quiet`);
    await page.join('Ann');
    await page.click('screen-call');
    await page.until('the choice of a screen', () => globalThis.goOn);
    await page.click('leave');
    await page.see('join');
    await tab.evaluate(() => globalThis.goOn());
    await page.until('the end of the capture', () => globalThis.captured
      && globalThis.captured.getTracks().every(({ readyState }) => readyState === 'ended'));
    await page.join('Ann');
    await page.untilTile('Ann', { camera: 'on' });
    assert.equal(await tab.$('.tile[data-kind="screen"]'), null);
    assert.deepEqual(page.complaints(), []);
  });

  await check('Korean, remembered', async () => {
    await open(`${server.url}/#room=quiet`);
    await page.click('language');
    await page.untilText('join', '참가하기');
    assert.equal(await page.page.evaluate(() => document.documentElement.lang), 'ko');
    await page.page.reload();
    await page.untilText('join', '참가하기');
    await page.join('안나');
    await page.untilText('count', '나 혼자');
    assert.equal(await page.page.$eval(byTestId('leave'), node => node.ariaLabel), '나가기');
    await page.click('open-settings');
    await page.click('language-call');
    await page.untilText('count', 'Only you');
    const missing = await page.page.evaluate(async () => {
      const [en, ko] = await Promise.all(['en', 'ko'].map(tag => import(`/text/${tag}.mjs`)));
      const [a, b] = [en, ko].map(module => new Set(Object.keys(module.default)));
      return [...a, ...b].filter(key => !a.has(key) || !b.has(key));
    });
    assert.deepEqual(missing, [], 'texts that one language lacks');
    assert.deepEqual(page.complaints(), []);
  });

  await check('no server', async () => {
    await open(`${server.url}/#room=quiet`);
    await server.stop();
    await page.click('join');
    await page.untilText('join-problem', 'The server does not answer');
    await server.start();
    await page.click('join');
    await page.see('alone');
  });

  await check('nothing scrolls sideways and nothing is cut at 320, 360 and 1920 pixels', async () => {
    await page.click('leave');
    await page.see('join');
    const sizes = [[320, 568], [360, 640], [1920, 1080]];
    for (const language of ['ko', 'en']) {
      await page.click('language');
      assert.equal(await page.page.evaluate(() => document.documentElement.lang), language);
      for (const [width, height] of sizes) {
        await page.page.setViewport({ width, height });
        const wide = await page.page.evaluate(() => document.documentElement.scrollWidth);
        assert.equal(wide, width, `the lobby, ${language}`);
      }
    }
    await page.click('join');
    await page.see('alone');
    for (const [width, height] of sizes) {
      await page.page.setViewport({ width, height });
      await page.until(`nothing outside of ${width} × ${height}`, () =>
        [...document.querySelectorAll('.tile, .controls button, .call-top *')].every(node => {
          const { left, right, top, bottom } = node.getBoundingClientRect();
          return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
        }));
    }
  });
});

test('the call page with a server that requires a token', { skip: skipReason(), timeout: 60_000 }, async t => {
  const secret = 'a-secret-of-32-bytes-or-even-more';
  const server = await startCallServer({ extra: `access: token, token_secrets: [${secret}]` });
  t.after(server.stop);
  const browser = await startBrowser();
  t.after(browser.close);
  let page = null;
  const check = checker(t, server, () => page ? [page] : []);
  const now = Math.floor(Date.now() / 1000);
  const attempt = async (token, text) => {
    await page?.page.close();
    page = await CallPage.open(browser, `${server.url}/#room=blue${token && `&token=${token}`}`);
    await page.click('join');
    await page.untilText('join-problem', text);
    assert.equal(await page.page.evaluate(() => document.activeElement.id), 'join', 'one can try again at once');
    assert.deepEqual(page.complaints(), []);
  };

  await check('none', () => attempt('', 'only people with an invitation'));
  await check('a wrong one', () =>
    attempt(makeToken(`not ${secret}`, { room: 'blue', exp: now + 60 }), 'is not valid here'));
  await check('one that has expired', () =>
    attempt(makeToken(secret, { room: 'blue', exp: now - 60 }), 'has expired'));
  await check('a good one lets in, and is in the invite link, but never in a request', async () => {
    const token = makeToken(secret, { room: 'blue', exp: now + 600 });
    await page.page.close();
    const requests = [];
    const tab = await browser.openPage('about:blank');
    tab.on('request', request => requests.push(request.url()));
    page = new CallPage(tab);
    await tab.goto(`${server.url}/#room=blue&token=${token}`);
    await page.join('Ann');
    await page.see('alone');
    const invitation = await tab.$eval('.alone input', ({ value }) => value);
    assert.equal(invitation, `${server.url}/#room=blue&token=${token}`);
    assert.deepEqual(requests.filter(url => url.split('#')[0].includes(token)), []);
    await page.click('open-settings');
    await page.click('open-diagnostics-call');
    await page.see('verdict');
    assert.deepEqual(page.complaints(), []);
  });
  await check('one that expires in the call: the call goes on, its link is not offered, a new one is taken', async () => {
    const leeway = 60;
    const token = makeToken(secret, { room: 'blue', exp: Math.floor(Date.now() / 1000) - leeway + 8 });
    await page.page.close();
    page = await CallPage.open(browser, `${server.url}/#room=blue&token=${token}`);
    await page.join('Ann');
    assert.equal(await page.page.$eval(byTestId('invite'), ({ disabled }) => disabled), false);
    await page.untilText('token-banner', 'Your invitation has expired. The call goes on', { within: 20_000 });
    assert.equal(await page.page.evaluate(() => document.body.dataset.line), 'online');
    assert.equal(await page.page.$eval(byTestId('invite'), ({ disabled }) => disabled), true);
    await page.untilText('alone', 'Ask for a new link');
    assert.equal(await page.page.$('.alone input'), null);

    const open = link => page.page.evaluate(hash => { location.hash = hash; }, `#room=blue&token=${link}`);
    await open(makeToken(`not ${secret}`, { room: 'blue', exp: now + 600 }));
    await page.until('why it is no help', () => document.querySelector('[data-toast="refused.token-invalid"]'));
    assert.equal(await page.page.$eval(byTestId('token-banner'), ({ hidden }) => hidden), false);
    const fresh = makeToken(secret, { room: 'blue', exp: now + 600 });
    await open(fresh);
    await page.until('no banner', () => document.querySelector('#token-banner').hidden);
    assert.equal(await page.page.$eval('.alone input', ({ value }) => value), `${server.url}/#room=blue&token=${fresh}`);
    assert.equal(await page.page.$eval(byTestId('invite'), ({ disabled }) => disabled), false);
    assert.deepEqual(page.complaints(), []);
  });
});
