// Starts headless Chromium with a fake camera, or Firefox, and serves the pages that they open from a small
// local web server. The messages of each page are kept, so that a failing test can show them. Browser and
// server are ended through their own handles.
import { accessSync, constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { delimiter, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';
import { atExit, temporaryDirectory, within } from './cleanup.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome'];
const firefoxNames = ['firefox-esr', 'firefox'];
const pages = fileURLToPath(new URL('../pages/', import.meta.url));
const types = { '.html': 'text/html; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8' };
const flags = [
  // puppeteer's own flags also keep the browser from connecting to its vendor
  '--disable-gpu', '--disable-quic', '--disable-component-update',
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--autoplay-policy=no-user-gesture-required',
];

function find(names, named) {
  const onPath = process.env.PATH.split(delimiter).flatMap(folder => names.map(name => join(folder, name)));
  return [named ?? onPath].flat().find(file => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

// Each returns the path of the browser ($CHROMIUM or $FIREFOX, or the first one on $PATH), or undefined.
export const findChromium = () => find(names, process.env.CHROMIUM);
export const findFirefox = () => find(firefoxNames, process.env.FIREFOX);

// Returns the reason why browser tests cannot run here, or false. In CI nothing is skipped, so that the start
// fails there instead.
export const skipReason = () =>
  process.env.CI !== 'true' && !findChromium() && `no Chromium: none of ${names.join(', ')} on $PATH`;
export const skipReasonOfFirefox = () =>
  process.env.CI !== 'true' && !findFirefox() && `no Firefox: none of ${firefoxNames.join(', ')} on $PATH`;

// An extra flag for startBrowser that removes one of the usual flags.
export const without = flag => ({ without: flag });

// Resolves to { openPage, setPermissions, close }. Tests with other networks or devices need extra command
// line flags.
export const startBrowser = (...extraFlags) =>
  startChromium(findChromium(), '--allow-loopback-in-peer-connection', ...extraFlags);

// Starts Chromium without loopback candidates, by another program that becomes Chromium, such as a script
// that enters a namespace first.
export async function startChromium(executablePath, ...extraFlags) {
  if (!executablePath) throw new Error(`no Chromium: none of ${names.join(', ')} on $PATH, nor $CHROMIUM`);
  const left = extraFlags.map(flag => flag.without);
  const wanted = [...flags, ...extraFlags].filter(flag => typeof flag === 'string' && !left.includes(flag));
  const sandbox = process.getuid() === 0 ? ['--no-sandbox'] : []; // Chromium's sandbox does not work for root
  const { browser, openPage, close } = await launch('chromium', home => ({
    executablePath, args: [...sandbox, ...wanted], userDataDir: join(home, 'profile'), pipe: true,
  }));

  // Grants these permissions to the pages of a server, and denies all others.
  const setPermissions = (url, permissions) =>
    browser.defaultBrowserContext().overridePermissions(url, permissions);

  return { openPage, setPermissions, close };
}

// Resolves to { openPage, close }.
export async function startFirefox() {
  const executablePath = findFirefox();
  if (!executablePath) throw new Error(`no Firefox: none of ${firefoxNames.join(', ')} on $PATH, nor $FIREFOX`);
  const { openPage, close } = await launch('firefox', () => ({ browser: 'firefox', executablePath }));
  return { openPage, close };
}

async function launch(name, options) {
  const home = temporaryDirectory(name);
  // on abort, puppeteer kills the process group that it made for the browser
  const killer = new AbortController();
  const forget = atExit(() => {
    killer.abort();
    // the browser's crash handler ends during this time
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  });
  const end = () => { killer.abort(); forget(); home.remove(); };
  const browser = await puppeteer.launch({
    ...options(home.path),
    env: { ...process.env, HOME: home.path, TMPDIR: home.path },
    timeout: 60_000,
    signal: killer.signal,
    handleSIGHUP: false, handleSIGINT: false, handleSIGTERM: false, // cleanup.mjs turns these into an exit
  }).catch(error => { end(); throw error; });

  // Resolves to puppeteer's page with an added function transcript(), which returns everything that the page
  // logged and every request that failed.
  async function openPage(url) {
    const page = await browser.newPage();
    const lines = [];
    page.on('console', message => lines.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', error => lines.push(`uncaught: ${error.stack ?? error}`));
    page.on('requestfailed', request => lines.push(`${request.url()}: ${request.failure()?.errorText}`));
    await page.goto(url);
    return Object.assign(page, { transcript: () => lines.join('\n') });
  }

  async function close() {
    await within(10_000, `closing ${name}`, browser.close()).catch(error => console.error(error.message));
    end();
  }
  return { browser, openPage, close };
}

// Serves tests/browser/pages on a free port of 127.0.0.1. Browsers trust this address as they trust https, so
// pages may use a camera.
export async function servePages() {
  const server = createServer(async (request, response) => {
    try {
      const { pathname } = new URL(request.url, 'http://localhost'); // URL() also resolves ".."
      const body = await readFile(join(pages, pathname));
      response.writeHead(200, { 'content-type': types[extname(pathname)] ?? 'application/octet-stream' });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise(resolve => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}
