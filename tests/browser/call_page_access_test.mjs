// Tests the page with the keyboard, with a screen reader, and on small screens.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipReason, startBrowser, without } from './support/browser.mjs';
import { CallPage, byTestId, checker, startCallServer } from './support/call_page.mjs';

const phone = { width: 360, height: 740 };
const turned = { width: 740, height: 360 };
const desk = { width: 1280, height: 800 };

test('the call page is accessible to everybody', { skip: skipReason(), timeout: 120_000 }, async t => {
  const server = await startCallServer();
  t.after(server.stop);
  const [first, second] = await Promise.all([startBrowser(), startBrowser(without('--use-fake-device-for-media-stream'))]);
  t.after(() => Promise.all([first.close(), second.close()]));
  const ann = await CallPage.open(first, `${server.url}/#room=blue`);
  const bob = await CallPage.open(second, `${server.url}/#room=blue`);
  const check = checker(t, server, () => [ann, bob]);
  const focused = page => page.page.evaluate(() => document.activeElement.id);

  await check('the focus goes where something new is', async () => {
    await ann.join('');
    assert.equal(await focused(ann), 'room-title');
    await ann.page.focus(byTestId('open-settings'));
    await ann.page.keyboard.press('Enter');
    assert.equal(await ann.page.evaluate(() => document.activeElement.dataset.testid), 'camera-choice-call');
    await ann.page.keyboard.press('Escape');
    assert.equal(await ann.page.evaluate(() => document.activeElement.dataset.testid), 'open-settings');
    await ann.page.focus(byTestId('leave'));
    await ann.page.keyboard.press('Enter');
    await ann.untilText('lobby-lead', 'You left “blue”.');
    assert.equal(await focused(ann), 'lobby-title');
    const lead = byTestId('lobby-lead');
    assert.equal(await ann.page.$eval(lead, node => node.role), 'status');
    assert.equal(await ann.page.$eval('#lobby-title', node => node.getAttribute('aria-describedby')), 'lobby-lead');
  });

  await check('who is alone can copy the link, and sees the own picture and name', async () => {
    await ann.join('');
    for (const size of [phone, turned, desk]) {
      await ann.page.setViewport(size);
      await ann.until(`the card beside the tile at ${size.width} × ${size.height}`, () => {
        const [card, tile] = ['.alone', '.tile'].map(selector => document.querySelector(selector).getBoundingClientRect());
        const apart = card.top >= tile.bottom || card.left >= tile.right;
        return apart && tile.height > 120 && card.bottom <= document.querySelector('.controls').getBoundingClientRect().top
          && card.right <= innerWidth;
      });
    }
    await ann.click('copy-link');
    await ann.until('the confirmation', () => document.querySelector('#invite').dataset.state === 'copied');
  });

  await check('a button that takes its time keeps the focus', async () => {
    await ann.page.focus(byTestId('camera-call'));
    for (const camera of ['off', 'on', 'off', 'on']) {
      await ann.page.keyboard.press('Space');
      await ann.until(`the camera to be ${camera}`, wanted => {
        const { dataset, ariaDisabled } = document.querySelector('[data-testid="camera-call"]');
        return dataset.state === wanted && ariaDisabled === null;
      }, { args: [camera] });
    }
    await ann.click('open-settings');
    await ann.click('open-diagnostics-call');
    const untilDone = () => ann.until('the report', () => {
      const again = document.querySelector('#diagnostics-again');
      return document.querySelector('#report').dataset.state === 'done' && again.ariaDisabled === null && !again.disabled;
    }, { within: 20_000 });
    await untilDone();
    await ann.page.focus('#diagnostics-again');
    await ann.page.keyboard.press('Enter');
    await ann.until('it to run', () => document.querySelector('#report').dataset.state === 'running');
    await untilDone();
    assert.equal(await focused(ann), 'diagnostics-again');
    await ann.page.keyboard.press('Escape');
    await ann.click('open-settings');
  });

  await check('who has no name is a guest everywhere', async () => {
    await bob.join('', { bare: true });
    await ann.untilTile('Guest', { path: 'direct' });
    const label = await ann.page.$eval(byTestId('badge'), node => node.ariaLabel);
    assert.match(label, /^Connection to Guest: Direct/);
    await ann.click('badge');
    await ann.untilText('facts', 'Guest');
  });

  await check('the facts are drawn as well, and go with Escape', async () => {
    await ann.until('lines of the bit rates and of the round trip', () => ['in', 'out', 'trip'].every(name =>
      /^M[^ML]+L/.test(document.querySelector(`.facts:not([hidden]) path.${name}`).getAttribute('d') ?? '')));
    const keys = await ann.page.$$eval('.facts:not([hidden]) dt.key', nodes => nodes.map(node => node.className));
    assert.deepEqual(keys, ['key in', 'key out', 'key trip', 'key loss'], 'the colours are explained');
    await ann.click('open-settings');
    await ann.page.focus('.facts:not([hidden]) button');
    await ann.page.keyboard.press('Escape');
    const open = await ann.page.evaluate(() => ['.facts', '#settings-panel'].map(one => !document.querySelector(one).hidden));
    assert.deepEqual(open, [false, true], 'the key closes what has the focus');
    assert.equal(await ann.page.evaluate(() => document.activeElement.dataset.testid), 'badge');
    await ann.click('open-settings');
    await ann.click('badge');
  });

  await check('all facts are to be read on a phone', async () => {
    for (const size of [phone, turned]) {
      await ann.page.setViewport(size);
      await ann.until(`facts that need no scrolling at ${size.width} × ${size.height}`, () => {
        const facts = document.querySelector('.facts:not([hidden])');
        const { left, right, top, bottom } = facts.getBoundingClientRect();
        const whole = facts.scrollHeight <= facts.clientHeight && left >= 0 && top >= 0 && right <= innerWidth;
        return whole && bottom <= document.querySelector('.controls').getBoundingClientRect().top;
      });
      const { backgroundColor } = await ann.page.$eval(byTestId('facts'), node => ({ ...getComputedStyle(node) }));
      assert.doesNotMatch(backgroundColor, /rgba|\//, 'nothing shows through');
    }
  });

  await check('a link with too long a name leads into no room', async () => {
    const name = 'x'.repeat(65);
    await ann.page.evaluate(room => { location.hash = `#room=${room}`; }, name);
    await ann.untilText('join-problem', 'more than 64 characters');
    assert.equal(await ann.page.$eval(byTestId('room'), ({ value }) => value), '');
    await ann.page.evaluate(room => { location.hash = `#room=${room}`; }, name.slice(1));
    await ann.until('no problem', () => document.querySelector('#join-problem').textContent === '');
    assert.equal(await ann.page.$eval(byTestId('room'), ({ value }) => value), name.slice(1));
    assert.deepEqual(ann.complaints(), []);
    assert.deepEqual(bob.complaints(), []);
  });
});
