// Tests the call page from end to end, as two people use it: two Chromium processes and the real daemon.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipReason, startBrowser } from './support/browser.mjs';
import { CallPage, byTestId, checker, startCallServer } from './support/call_page.mjs';
import { temporaryDirectory } from './support/cleanup.mjs';
import { gradient } from './support/png.mjs';

const sha256 = data => createHash('sha256').update(data).digest('hex');

test('a call', { skip: skipReason(), timeout: 180_000 }, async t => {
  const server = await startCallServer();
  t.after(server.stop);
  const folder = temporaryDirectory('call-page');
  t.after(folder.remove);
  const cameras = '--use-fake-device-for-media-stream=device-count=3'; // the second gives no pictures
  const [first, second] = await Promise.all([startBrowser(cameras), startBrowser()]);
  t.after(() => Promise.all([first.close(), second.close()]));
  let ann;
  let bob;
  const check = checker(t, server, () => [ann, bob].filter(Boolean));

  await check('two people meet by a link', async () => {
    ann = await CallPage.open(first, `${server.url}/`);
    const proposed = await ann.until('a proposed room', () => document.querySelector('#room').value);
    assert.match(proposed, /^[a-z]+-[a-z]+-[a-z]+$/);
    await ann.fill('room', 'blue room');
    await ann.join('Ann');
    await ann.see('alone');
    assert.equal(new URL(ann.page.url()).hash, '#room=blue%20room');

    bob = await CallPage.open(second, ann.page.url());
    assert.equal(await bob.page.$eval('#room', ({ value }) => value), 'blue room');
    await bob.join('Bob');
    assert.equal(await ann.page.title(), 'blue room · turnpike');
    await ann.untilTile('Bob', { state: 'connected', mic: 'on', camera: 'on', self: 'false' });
    await bob.untilTile('Ann', { state: 'connected', mic: 'on', camera: 'on', self: 'false' });
    await ann.untilCount(2);
    await bob.untilCount(2);
  });

  await check('they see and hear each other, and know by which path', async () => {
    const badge = { path: 'direct', transport: 'udp' };
    await ann.untilTile('Bob', badge, { within: 1500 });
    await bob.untilTile('Ann', badge, { within: 1500 });
    await bob.untilText('badge', 'Direct · UDP');
    await Promise.all([[ann, 'Bob'], [bob, 'Ann']].flatMap(([page, name]) => [
      page.untilMore(name, 'frames', 20),
      page.untilMore(name, 'audioPackets', 50),
      page.untilMore(name, 'audioEnergy', 0.0005),
      page.untilTile(name, { speaking: 'true' }),
    ]));
    assert.equal(await bob.tile('Ann').then(tile => tile.peer), await ann.self());
  });

  await check('chat', async () => {
    await ann.click('open-chat');
    await ann.fill('chat-text', 'Hello <b>Bob</b> https://example.org/');
    await ann.click('chat-send');
    await bob.until('an unread message', () => document.querySelector('#unread').textContent === '1');
    const label = () => bob.page.$eval(byTestId('open-chat'), ({ ariaLabel }) => ariaLabel);
    assert.equal(await label(), 'Chat, 1 unread message');
    await bob.click('open-chat');
    assert.equal(await label(), 'Chat');
    await bob.untilText('message', 'Hello <b>Bob</b>');
    assert.equal(await bob.page.$('.message b'), null, 'markup stays text');
    await bob.page.type(byTestId('chat-text'), 'Hello Ann');
    await bob.page.keyboard.press('Enter');
    await ann.untilText('message', 'Hello Ann');
  });

  const sendFile = async (name, data) => {
    const path = join(folder.path, name);
    writeFileSync(path, data);
    const input = await ann.page.$(byTestId('file-input'));
    await input.uploadFile(path);
  };

  await check('a file of 5 MB, accepted, arrives as it was', async () => {
    const data = randomBytes(5 * 1024 * 1024);
    await sendFile('data.bin', data);
    await bob.untilText('transfer', 'wants to send you this file');
    assert.equal(await ann.page.$eval(byTestId('transfer'), ({ dataset }) => dataset.state), 'offered');
    await bob.click('file-accept');
    for (const page of [ann, bob])
      await page.until('some progress, then the end', () => {
        const { state, progress } = document.querySelector('[data-testid="transfer"]').dataset;
        return state === 'done' && Number(progress) > 0;
      }, { within: 30_000 });
    const arrived = await bob.download(byTestId('download'), folder.path);
    assert.equal(sha256(readFileSync(arrived)), sha256(data));
  });

  await check('a picture is shown', async () => {
    await sendFile('picture.png', gradient(320, 200));
    await bob.until('the picture', () =>
      document.querySelector('[data-testid="picture"]')?.naturalWidth === 320);
  });

  await check('files can be declined, and cancelled from both sides', async () => {
    const data = randomBytes(2 * 1024 * 1024);
    const last = state => page => page.until(`a transfer that is ${state}`, wanted => {
      const [transfer] = [...document.querySelectorAll('[data-testid="transfer"]')].slice(-1);
      return transfer.dataset.state === wanted;
    }, { args: [state] });
    await sendFile('no.bin', data);
    await bob.until('the question', () => document.querySelector('[data-testid="file-refuse"]'));
    await bob.page.focus(byTestId('file-refuse'));
    await bob.page.keyboard.press('Enter');
    await Promise.all([ann, bob].map(last('refused')));
    assert.equal(await bob.page.evaluate(() => document.activeElement.dataset.state), 'refused', 'the focus stays in the row');
    await sendFile('stop.bin', data);
    await bob.until('the question', () => document.querySelector('[data-testid="file-accept"]'));
    await ann.click('file-cancel');
    await Promise.all([ann, bob].map(last('cancelled')));

    // This file is so large that its transfer is still running when the test clicks.
    await sendFile('long.bin', Buffer.alloc(200 * 1024 * 1024));
    await bob.click('file-accept');
    await bob.until('the transfer to run', () => {
      const [transfer] = [...document.querySelectorAll('[data-testid="transfer"]')].slice(-1);
      return transfer.dataset.progress > 0;
    }, { within: 20_000 });
    await bob.click('file-cancel');
    await Promise.all([ann, bob].map(last('cancelled')));
  });

  await check('camera and microphone are switched without negotiating', async () => {
    const negotiation = await ann.watchNegotiation();
    await ann.click('mic-call');
    await bob.untilTile('Ann', { mic: 'off', speaking: 'false' });
    await bob.untilMore('Ann', 'audioPackets', 20);
    const quiet = Number((await bob.tile('Ann')).audioEnergy);
    await bob.untilMore('Ann', 'audioPackets', 60);
    assert.ok(Number((await bob.tile('Ann')).audioEnergy) - quiet < 0.0002, 'nothing is to be heard');
    await ann.click('mic-call');
    await bob.untilTile('Ann', { mic: 'on' });
    await bob.untilMore('Ann', 'audioEnergy', 0.0005);

    await ann.click('camera-call');
    await bob.untilTile('Ann', { camera: 'off' });
    await ann.until('the camera to be closed', () =>
      document.querySelector('.tile[data-self="true"] video').srcObject === null);
    await ann.click('camera-call');
    await bob.untilTile('Ann', { camera: 'on' });
    await bob.untilMore('Ann', 'frames', 20);

    await ann.click('open-settings');
    const select = byTestId('camera-choice-call');
    const [before, other] = await ann.page.$eval(select, ({ value, options }) =>
      [value, [...options].map(option => option.value).findLast(id => id !== value)]);
    assert.ok(other, 'there is another camera');
    await ann.page.select(select, other);
    await ann.until('the other camera', id => {
      const [track] = document.querySelector('.tile[data-self="true"] video').srcObject?.getTracks() ?? [];
      return track?.getSettings().deviceId === id;
    }, { args: [other] });
    assert.notEqual(before, other);
    await bob.untilMore('Ann', 'frames', 20);
    await ann.click('open-settings');

    const screen = '.tile[data-kind="screen"]';
    await ann.click('screen-call');
    await bob.until('the screen', selector => document.querySelector(`${selector} video`)?.videoWidth > 0,
      { args: [screen] });
    await ann.click('screen-call');
    await bob.until('no screen', selector => !document.querySelector(selector), { args: [screen] });
    assert.equal(negotiation.count(), 0, 'session descriptions sent meanwhile');
    await negotiation.end();
  });

  await check('a page that is loaded again takes its place again', async () => {
    const before = await bob.self();
    await bob.page.reload();
    await bob.join('Bob');
    const id = await bob.self();
    assert.notEqual(id, before);
    await ann.untilTile('Bob', { state: 'connected', peer: id });
    await ann.untilCount(2);
    await ann.untilMore('Bob', 'frames', 5);
  });

  await check('the invite link is copied', async () => {
    await first.setPermissions(server.url,
      ['clipboard-read', 'clipboard-sanitized-write', 'camera', 'microphone']);
    await ann.page.bringToFront();
    await ann.click('invite');
    await ann.until('the confirmation', () => document.querySelector('#invite').dataset.state === 'copied');
    await ann.untilText('invite', 'Link copied');
    const copied = await ann.page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, `${server.url}/#room=blue%20room`);
  });

  await check('a third joins without a camera, is seen by both, and leaves', async () => {
    const cid = await CallPage.open(second, `${server.url}/#room=blue room`);
    await cid.join('Cid', { bare: true });
    for (const page of [ann, bob]) {
      await page.untilTile('Cid', { state: 'connected', mic: 'off', camera: 'off' });
      await page.untilCount(3);
    }
    await cid.untilTile('Ann', { state: 'connected', camera: 'on' });
    await cid.untilTile('Bob', { state: 'connected', camera: 'on' });
    await cid.untilMore('Ann', 'frames', 5);
    await cid.click('leave');
    await cid.see('join');
    for (const page of [ann, bob]) {
      await page.untilTile('Cid', null);
      await page.untilCount(2);
    }
    assert.deepEqual(cid.complaints(), []);
    await cid.page.close();
  });

  await check('a killed browser is gone within ten seconds', async () => {
    assert.deepEqual(bob.complaints(), []);
    process.kill(-bob.pid, 'SIGKILL'); // all processes of Bob's browser, so that none can say goodbye
    bob = null;
    await ann.untilTile('Bob', null, { within: 10_000 });
    await ann.untilCount(1);
  });

  await check('and nothing was complained of', async () => {
    assert.deepEqual(ann.complaints(), []);
  });
});
