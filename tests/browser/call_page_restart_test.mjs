// Tests what a call survives: a cut line and a restart of the server, with and without the relay in the path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipReason, startBrowser } from './support/browser.mjs';
import { CallPage, checker, startCallServer, startLine } from './support/call_page.mjs';

test('a call outlives its server', { skip: skipReason(), timeout: 180_000 }, async t => {
  const server = await startCallServer();
  t.after(server.stop);
  const line = await startLine(server.port);
  t.after(line.close);
  const [first, second] = await Promise.all([startBrowser(), startBrowser()]);
  t.after(() => Promise.all([first.close(), second.close()]));
  const ann = await CallPage.open(first, `${server.url}/#room=blue`);
  const bob = await CallPage.open(second, `${line.url}/#room=blue`);
  const check = checker(t, server, () => [ann, bob]);
  const both = body => Promise.all([body(ann, 'Bob'), body(bob, 'Ann')]);
  const inCall = values => both((page, name) => page.untilTile(name, { state: 'connected', ...values }));

  await ann.join('Ann');
  await bob.join('Bob');
  await inCall({ path: 'direct' });

  await check('a cut line is resumed, under the same id', async () => {
    const [id, frames] = [await bob.self(), Number((await ann.tile('Bob')).frames ?? 0)];
    const cut = bob.until('the cut to be noticed', () => document.body.dataset.line === 'offline');
    line.cut();
    await cut;
    await bob.until('the line', () => document.body.dataset.line === 'online');
    assert.equal(await bob.self(), id);
    assert.equal((await ann.tile('Bob')).peer, id);
    await ann.untilMore('Bob', 'frames', 10);
    assert.ok(Number((await ann.tile('Bob')).frames) > frames);
    assert.deepEqual(bob.complaints({ outage: true }), []);
  });

  const restart = async meanwhile => {
    const ids = await both(page => page.self());
    await server.stop();
    await both(page => page.see('line-banner'));
    await meanwhile();
    await server.start();
    const started = performance.now();
    await both(page => page.until('the line', () => document.body.dataset.line === 'online'));
    await both(async (page, name) => {
      const id = await page.self();
      assert.ok(!ids.includes(id), 'a new server gives new ids');
      await (page === ann ? bob : ann).untilTile(name === 'Bob' ? 'Ann' : 'Bob', { peer: id });
    });
    await both(page => page.until('no banner', () => document.querySelector('#line-banner').hidden));
    await both(page => page.untilCount(2));
    return started;
  };

  await check('a direct call goes on while the server is away, and stays untouched', async () => {
    const negotiations = await both(page => page.watchNegotiation());
    await restart(async () => {
      await both((page, name) => page.untilMore(name, 'frames', 40));
      await ann.click('open-chat');
      await ann.fill('chat-text', 'Still here?');
      await ann.click('chat-send');
      await bob.untilText('message', 'Still here?');
      await ann.click('open-chat');
    });
    await inCall({ path: 'direct' });
    await both((page, name) => page.untilMore(name, 'frames', 20));
    assert.deepEqual(negotiations.map(({ count }) => count()), [0, 0], 'descriptions sent');
  });

  await check('relay only', async () => {
    await ann.click('open-settings');
    await ann.click('relay-only');
    await inCall({ path: 'relay', transport: 'udp' });
    await both((page, name) => page.untilMore(name, 'frames', 20));
  });

  await check('a relayed call is back five seconds after the server', async () => {
    const started = await restart(() => both((page, name) => page.until('frames to stop', wanted => {
      const { dataset } = [...document.querySelectorAll('.tile')].find(tile => tile.dataset.name === wanted);
      const [last, since] = (dataset.testSeen ?? '').split(' ');
      if (last !== dataset.frames) dataset.testSeen = `${dataset.frames} ${performance.now()}`;
      return last === dataset.frames && performance.now() - since > 2000;
    }, { args: [name] })));
    await both((page, name) => page.untilMore(name, 'frames', 1, { within: 5000 }));
    const passed = performance.now() - started;
    assert.ok(passed < 5000, `frames came ${Math.round(passed)} ms after the server`);
    t.diagnostic(`relayed frames ${Math.round(passed)} ms after the server was ready`);
    await inCall({ path: 'relay' });
  });

  await check('and back to the direct path', async () => {
    await ann.click('relay-only');
    await inCall({ path: 'direct' });
    await both((page, name) => page.untilMore(name, 'frames', 20));
  });

  await check('and nothing was complained of', async () => {
    for (const page of [ann, bob]) assert.deepEqual(page.complaints({ outage: true }), []);
  });
});
