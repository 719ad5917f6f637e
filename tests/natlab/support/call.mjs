// A person in a call: Chromium on a machine of the laboratory, with the call page that the server serves. The
// head of src/web/app/main.mjs lists what tests may rely on.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findChromium, startChromium } from '../../browser/support/browser.mjs';
import { temporaryDirectory } from '../../browser/support/cleanup.mjs';
import { inside } from './lab.mjs';

// Chromium on one machine.
export async function startBrowserOn(namespace, ...flags) {
  const chromium = findChromium();
  if (!chromium) throw new Error('there is no Chromium');
  const folder = temporaryDirectory(`chromium-${namespace}`);
  const program = join(folder.path, 'chromium');
  const command = `${inside(namespace).join(' ')} '${chromium}' "$@"`;
  writeFileSync(program, `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 });
  const browser = await startChromium(program, ...flags);
  const close = async () => {
    await browser.close();
    folder.remove();
  };
  return { ...browser, close };
}

export const cameraRuns = page =>
  page.waitForSelector('[data-testid=preview][data-camera=on]', { timeout: 10_000 });

export async function joinCall(page) {
  await page.click('[data-testid=join]');
  await page.waitForSelector('body[data-view=call]', { timeout: 5000 });
}

// Returns how many pictures the other person's tile has shown, and which path its badge names.
export const seenBy = page => page.evaluate(() => {
  const tile = document.querySelector('[data-testid=tile][data-self=false][data-kind=camera]');
  if (!tile) return { frames: 0 };
  const { path, transport, state } = tile.dataset;
  const { totalVideoFrames: frames } = tile.querySelector('video').getVideoPlaybackQuality();
  return { frames, path, transport, state };
});

export async function useRelayOnly(page) {
  await page.click('[data-testid=open-settings]');
  await page.click('[data-testid=relay-only]');
}

// Acts as if packets were always faster than signaling: after this, signaling brings this page no relayed
// address.
export const missRelayedCandidates = page => page.evaluate(() => {
  const { addEventListener } = WebSocket.prototype;
  WebSocket.prototype.addEventListener = function (type, handler, ...rest) {
    const deaf = event => { if (!event.data?.includes(' typ relay ')) handler(event); };
    addEventListener.call(this, type, type === 'message' ? deaf : handler, ...rest);
  };
});
