// Drives the call page as a person does, by its stable names (data-testid and data- attributes, listed at the
// head of src/web/app/main.mjs), and starts the daemon that serves the page on ports that stay the same when
// it is started again.
import { createHmac, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { startTurnpike } from './daemon.mjs';

export const byTestId = name => `[data-testid="${name}"]`;

// Picks ports that are free now and starts the daemon. `extra` goes into the signaling section. Resolves to {
// url, port, start, stop, log }, where start() starts the daemon again after stop().
export async function startCallServer({ extra = '' } = {}) {
  const [stun, web] = [await freePort('udp'), await freePort('tcp')];
  const config = `\
realm: example.org
listen: [udp://127.0.0.1:${stun}]
relay: {addresses: [127.0.0.1]}
peers: {allow: [127.0.0.0/8]}
limits: {unauthenticated_per_second: 0}
signaling: {listen: http://127.0.0.1:${web}${extra && `, ${extra}`}}
`;
  let daemon = await startTurnpike(config);
  let logs = '';
  const stop = async () => {
    logs += daemon?.log() ?? '';
    await daemon?.stop();
    daemon = null;
  };
  const start = async () => { daemon = await startTurnpike(config); };
  return { url: `http://127.0.0.1:${web}`, port: web, start, stop, log: () => logs + (daemon?.log() ?? '') };
}

// Resolves to a port of 127.0.0.1 that is free. It is below ip_local_port_range, whose ports Linux gives to all
// sockets that ask for none: one of those could be somebody else's, or wait for the end of somebody's
// connection, when the daemon is started there.
export async function freePort(protocol) {
  for (;;) {
    const port = randomInt(16384, 32768);
    const socket = protocol === 'udp' ? createSocket('udp4').bind(port, '127.0.0.1') : createServer().listen(port, '127.0.0.1');
    const isFree = await once(socket, 'listening').then(() => true, () => false);
    await new Promise(resolve => socket.close(resolve));
    if (isFree) return port;
  }
}

// Listens on a port and passes connections on to a port of this host. cut() resets both ends of each
// connection, so that they see no close.
export async function startLine(port) {
  const open = new Set();
  const server = createServer(near => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.on('error', () => {}).on('close', () => { open.delete(from); to.destroy(); });
      from.pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => { for (const socket of open) socket.resetAndDestroy(); };
  const close = () => { cut(); return new Promise(resolve => server.close(resolve)); };
  return { url: `http://127.0.0.1:${server.address().port}`, cut, close };
}

// Returns an HS256 token for `access: token`.
export function makeToken(secret, claims) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`;
}

// Chromium itself writes these messages to the console when a server is missing or refuses. No page can
// prevent them.
const unavoidable = /^(error: (WebSocket connection to|Failed to load resource)|\S+: net::ERR_)/;

export class CallPage {
  constructor(page) {
    this.page = page;
  }

  static async open(browser, url) {
    const page = await browser.openPage('about:blank');
    await page.setViewport({ width: 1280, height: 800 });
    await page.goto(url);
    return new CallPage(page);
  }

  get pid() { return this.page.browser().process().pid; }

  // Runs the function in the page until it returns something truthy, and returns that.
  async until(what, look, { within = 10_000, args = [] } = {}) {
    try {
      const handle = await this.page.waitForFunction(look, { timeout: within, polling: 50 }, ...args);
      return await handle.jsonValue();
    } catch (error) {
      throw new Error(`${what}: not within ${within} ms\n${await this.describe()}`, { cause: error });
    }
  }

  async describe() {
    const tiles = await this.page.evaluate(() => JSON.stringify({
      body: { ...document.body.dataset },
      tiles: [...document.querySelectorAll('.tile')].map(({ dataset }) => ({ ...dataset })),
    })).catch(error => error.message);
    return `--- page ---\n${tiles}\n${this.page.transcript()}`;
  }

  see(testId, options) {
    return this.until(`${testId} to be seen`, selector => {
      const node = document.querySelector(selector);
      return node?.checkVisibility() && (node.textContent || true);
    }, { ...options, args: [byTestId(testId)] });
  }

  click(testId) {
    return this.page.locator(byTestId(testId)).setTimeout(10_000).click();
  }

  async fill(testId, text) {
    await this.page.locator(byTestId(testId)).setTimeout(10_000).fill(text);
  }

  async join(name, { bare = false } = {}) {
    await this.fill('name', name);
    await this.click(bare ? 'join-bare' : 'join');
    await this.until(`${name} to be in the call`, () => document.body.dataset.line === 'online');
  }

  // Returns the data- attributes of the tile of this name, which may be one's own.
  tile(name) {
    return this.page.evaluate(wanted => ({ ...[...document.querySelectorAll('.tile[data-kind="camera"]')]
      .find(({ dataset }) => dataset.name === wanted)?.dataset }), name);
  }

  // Waits until the tile has all these values, or with `null` until there is no such tile.
  untilTile(name, values, options) {
    return this.until(`tile of ${name} with ${JSON.stringify(values)}`, (wanted, expected) => {
      const tile = [...document.querySelectorAll('.tile[data-kind="camera"]')]
        .find(({ dataset }) => dataset.name === wanted);
      if (!expected) return !tile;
      return tile && Object.entries(expected).every(([key, value]) => tile.dataset[key] === value)
        && { ...tile.dataset };
    }, { ...options, args: [name, values] });
  }

  // Waits until a number on the tile has grown by at least `by`, and returns its new value.
  async untilMore(name, field, by, options) {
    const from = Number((await this.tile(name))[field] ?? 0);
    return this.until(`${field} of ${name} to grow by ${by} from ${from}`, (wanted, key, least) => {
      const tile = [...document.querySelectorAll('.tile[data-kind="camera"]')]
        .find(({ dataset }) => dataset.name === wanted);
      return Number(tile?.dataset[key]) >= least && Number(tile.dataset[key]);
    }, { ...options, args: [name, field, from + by] });
  }

  untilCount(count, options) {
    return this.until(`${count} people`, wanted =>
      document.querySelector('#count').dataset.count === wanted, { ...options, args: [String(count)] });
  }

  self() { return this.page.evaluate(() => document.body.dataset.self); }

  // Waits until one element of this test id contains the text.
  untilText(testId, text, options) {
    return this.until(`“${text}” in ${testId}`, (selector, wanted) =>
      [...document.querySelectorAll(selector)].some(node => node.textContent.includes(wanted)),
    { ...options, args: [byTestId(testId), text] });
  }

  // Returns the errors and warnings of the page itself.
  complaints({ outage = false } = {}) {
    return this.page.transcript().split('\n').filter(line =>
      /^(error|warn|warning|uncaught|assert)/.test(line) && !(outage && unavoidable.test(line)));
  }

  // Counts the session descriptions that this page sends after this call.
  async watchNegotiation() {
    const session = await this.page.createCDPSession();
    let descriptions = 0;
    session.on('Network.webSocketFrameSent', ({ response: { payloadData } }) => {
      if (payloadData.includes('"description"')) descriptions += 1;
    });
    await session.send('Network.enable');
    return { count: () => descriptions, end: () => session.detach() };
  }

  // Clicks a download link and resolves to the file's path.
  async download(selector, folder) {
    const session = await this.page.browser().target().createCDPSession();
    await session.send('Browser.setDownloadBehavior', {
      behavior: 'allowAndName', downloadPath: folder, eventsEnabled: true,
    });
    const done = new Promise((resolve, reject) => {
      session.on('Browser.downloadProgress', ({ state, guid }) => {
        if (state === 'completed') resolve(`${folder}/${guid}`);
        if (state === 'canceled') reject(new Error('the download was cancelled'));
      });
    });
    await this.page.click(selector);
    const path = await done;
    await session.detach();
    return path;
  }
}

// Runs a subtest. When it fails, the messages of the pages and of the server are added to the error.
export const checker = (t, server, pages) => (name, body) => t.test(name, async () => {
  try {
    await body();
  } catch (error) {
    const all = await Promise.all(pages().map(page => page.describe()));
    throw new Error(`${error.message}\n${all.join('\n')}\n--- server ---\n${server.log()}`, { cause: error });
  }
});
