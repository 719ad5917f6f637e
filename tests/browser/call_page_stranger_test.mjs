// Tests what a stranger in the room can do to a page: send much, join and leave often, have a strange name.
// Nothing may grow without a bound because of this, or cover the call.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { skipReason, startBrowser, without } from './support/browser.mjs';
import { CallPage, byTestId, checker, startCallServer } from './support/call_page.mjs';
import { temporaryDirectory } from './support/cleanup.mjs';
import { gradient } from './support/png.mjs';

// A member that speaks the plain protocol, and no WebRTC.
async function joinRaw(server, room, name) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws`);
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'join', room, name }));
  await once(socket, 'message');
  const leave = () => {
    socket.send('{"type":"leave"}');
    socket.close();
    return once(socket, 'close');
  };
  return { leave };
}

test('a stranger in the room', { skip: skipReason(), timeout: 180_000 }, async t => {
  const server = await startCallServer();
  t.after(server.stop);
  const folder = temporaryDirectory('call-page');
  t.after(folder.remove);
  const noDevices = without('--use-fake-device-for-media-stream');
  const [first, second] = await Promise.all([startBrowser(noDevices), startBrowser(noDevices)]);
  t.after(() => Promise.all([first.close(), second.close()]));
  const ann = await CallPage.open(first, `${server.url}/#room=blue`);
  const bob = await CallPage.open(second, `${server.url}/#room=blue`);
  const check = checker(t, server, () => [ann, bob]);

  const send = async files => {
    const paths = files.map(([name, bytes]) => {
      const path = join(folder.path, name);
      const picture = gradient(16, 16);
      writeFileSync(path, Buffer.concat([picture, Buffer.alloc(bytes - picture.length)]));
      return path;
    });
    const input = await ann.page.$(byTestId('file-input'));
    await input.uploadFile(...paths);
  };
  const untilTransfers = states => bob.until(`transfers that are ${states}`, wanted =>
    [...document.querySelectorAll('[data-testid="transfer"]')].map(({ dataset }) => dataset.state).join(' ')
      === wanted, { args: [states], within: 30_000 });

  await check('two people meet', async () => {
    await ann.join('Ann', { bare: true });
    await bob.join('Bob', { bare: true });
    await ann.untilTile('Bob', { state: 'connected' });
    await bob.untilTile('Ann', { state: 'connected' });
  });

  await check('files come without a question up to a sum of octets and up to a number', async () => {
    const large = 9 * 1024 * 1024;
    await send([['a.png', large], ['b.png', large]]);
    await untilTransfers('done done');
    await send([['c.png', large]]);
    await untilTransfers('done done offered');
    await send(Array.from({ length: 9 }, (_, index) => [`${index}.bin`, 4000]));
    await untilTransfers(['done done offered', ...Array(8).fill('done'), 'offered'].join(' '));
    await bob.page.$$eval(byTestId('file-accept'), buttons => buttons.forEach(button => button.click()));
    await untilTransfers(['done done done', ...Array(8).fill('done'), 'done'].join(' '));
  });

  await check('the log keeps its last lines; what leaves it makes room', async () => {
    const url = await bob.page.$eval(byTestId('picture'), ({ src }) => src);
    const isThere = address => bob.page.evaluate(from => new Promise(resolve => {
      const image = new Image();
      image.onload = () => resolve(true);
      image.onerror = () => resolve(false);
      image.src = from;
    }), address);
    assert.equal(await isThere(url), true);
    await ann.page.evaluate(() => {
      for (let line = 0; line < 600; line++) {
        document.querySelector('#chat-text').value = `line ${line}`;
        document.querySelector('#chat-form').requestSubmit();
      }
    });
    await bob.untilText('message', 'line 599');
    for (const page of [ann, bob])
      assert.equal(await page.page.$eval(byTestId('chat-log'), log => log.childElementCount), 500);
    await untilTransfers('');
    assert.equal(await isThere(url), false);
    await send([['again.bin', 4000]]);
    await untilTransfers('done');
  });

  await check('who comes and goes again and again covers nothing', async () => {
    await bob.page.evaluate(() => {
      globalThis.seen = { most: 0, added: 0 };
      const toasts = document.querySelector('#toasts');
      new MutationObserver(changes => {
        globalThis.seen.most = Math.max(globalThis.seen.most, toasts.childElementCount);
        for (const { addedNodes } of changes) globalThis.seen.added += addedNodes.length;
      }).observe(toasts, { childList: true });
    });
    for (let time = 0; time < 30; time++) {
      const eve = await joinRaw(server, 'blue', `Eve ${time}`);
      await eve.leave();
    }
    await bob.untilText('chat-log', 'Eve 29 left');
    await bob.until('one notice for many', () => document.querySelector('[data-toast="call.goneSeveral"]'));
    await bob.until('no notice', () => !document.querySelector('#toasts').childElementCount);
    const { most, added } = await bob.page.evaluate(() => globalThis.seen);
    assert.ok(most <= 3, `${most} notices at once`);
    assert.ok(added <= 15, `${added} notices`);
  });

  await check('a name changes no direction of text, and an emoji of several stays one', async () => {
    const eve = await joinRaw(server, 'blue', 'Eve \u200ftxt\u200e.exe \u{1f469}\u200d\u{1f4bb}');
    const shown = 'Eve txt.exe \u{1f469}\u200d\u{1f4bb}';
    await bob.untilTile(shown, { state: 'connecting' });
    await eve.leave();
    await bob.untilText('chat-log', `${shown} left`);
    await bob.until('the notice', name => document.querySelector('.toast')?.textContent === `${name} left`,
      { args: [shown] });
  });

  await check('who changes the nickname by Socket.IO is called so', async () => {
    const eve = io(server.url, { transports: ['websocket'], forceNew: true });
    t.after(() => eve.close());
    await eve.timeout(8000).emitWithAck('enter_room', 'blue');
    await bob.untilCount(3);
    eve.emit('nickname', 'Eve');
    await bob.untilTile('Eve', { state: 'connecting' });
    eve.emit('nickname', 'Eva');
    await bob.untilTile('Eva', { state: 'connecting' });
    eve.close();
    await bob.untilText('chat-log', 'Eva left');
  });

  await check('who speaks no WebRTC is said to have no picture and sound yet, where nothing covers it', async () => {
    const others = await Promise.all(Array.from({ length: 12 }, (_, index) => joinRaw(server, 'blue', `Eve ${index}`)));
    await bob.untilTile('Eve 11', { state: 'connecting' });
    const readable = () => [...document.querySelectorAll('.tile[data-state="connecting"]')].every(tile => {
      const status = tile.querySelector('.tile-status');
      const range = document.createRange();
      range.selectNodeContents(status);
      const words = range.getBoundingClientRect();
      const box = status.getBoundingClientRect();
      const avatar = tile.querySelector('.avatar').getBoundingClientRect();
      const name = tile.querySelector('.nameplate').getBoundingClientRect();
      return status.textContent && words.top >= box.top && words.left >= box.left && words.bottom <= name.top
        && (!avatar.height || words.top >= avatar.bottom) && (words.right <= box.right || tile.dataset.flat === 'true');
    });
    const sizes = [[1280, 800], [360, 740], [740, 360]];
    for (const words of ['Connecting…', 'No picture or sound yet']) {
      await bob.untilText('grid', words, { within: 20_000 });
      for (const [width, height] of sizes) {
        await bob.page.setViewport({ width, height });
        await bob.until(`${words} to be readable at ${width} × ${height}`, readable);
      }
    }
    await Promise.all(others.map(({ leave }) => leave()));
    await bob.untilCount(2);
  });
});
