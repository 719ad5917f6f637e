// Tests nginx and HAProxy in front of the daemon and behind it, with exactly the configurations that the
// README gives, and nginx in front of TURN over UDP. The test runs in its own network namespace, see
// own_network, in which the ports of the README are free.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { hasNginxStream, isInstalled, startHaproxy, startNginx } from '../browser/support/proxy.mjs';
import { saysLater } from '../cluster/support.mjs';
import { connect, member } from '../signaling/support/client.mjs';
import { request } from '../signaling/support/http.mjs';
import { inSeconds, token as sign } from '../signaling/support/server.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

const host = 'turn.example.org';
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

// Returns the indented block of the README that begins with this comment, the first one after the heading.
function block(comment, heading = '### Behind nginx or HAProxy') {
  const lines = readme.slice(readme.indexOf(heading)).split('\n');
  const start = lines.findIndex(line => line.startsWith(`    # ${comment}`));
  assert.ok(start >= 0, `the README has no ${comment}`);
  const length = lines.slice(start).findIndex(line => !line.startsWith('    '));
  return lines.slice(start, start + length).map(line => line.slice(4)).join('\n');
}

const own = makeCertificate(host);
const { certificate, privateKey } = own;
const folder = temporaryDirectory('proxies').path;

// Replaces the certificate files that a text of the README names with the files of our own certificate.
function withFiles(text, name, { certificate, privateKey }) {
  const pem = join(folder, `${name}.pem`);
  writeFileSync(pem, readFileSync(certificate, 'utf8') + readFileSync(privateKey, 'utf8'), { mode: 0o600 });
  return text.replace('/etc/turnpike/tls/fullchain.pem', certificate)
    .replace('/etc/turnpike/tls/privkey.pem', privateKey)
    .replace(`/etc/letsencrypt/live/${name}/fullchain.pem`, certificate)
    .replace(`/etc/letsencrypt/live/${name}/privkey.pem`, privateKey)
    .replace(`/etc/haproxy/${name}.pem`, pem);
}

// These lines of Debian's haproxy.cfg precede our own.
const haproxyDefaults = 'defaults\n  timeout connect 5000\n  timeout client 50000\n  timeout server 50000\n';

// Each function starts a proxy with the README's configuration and resolves to the function that stops it.
const reverseProxies = {
  nginx: () => startNginx({ http: withFiles(block('/etc/nginx/conf.d/'), host, own) }),
  haproxy: () => startHaproxy(haproxyDefaults + withFiles(block('/etc/haproxy/haproxy.cfg'), host, own)),
};

// Starts the daemon with the README's configuration and more lines of `signaling`, and the proxy in front of
// it. Resolves to a token that is valid for this daemon.
async function startBehind(t, program, signaling) {
  const configuration = block('/etc/turnpike/turnpike.yaml');
  const daemon = await startTurnpike(['realm: example.org', 'listen: ["udp://127.0.0.1:0"]',
    'relay: {addresses: [127.0.0.1]}', configuration, ...signaling.map(line => `  ${line}`), ''].join('\n'));
  t.after(daemon.stop);
  t.after(await reverseProxies[program]());
  return sign({ exp: inSeconds(600) }, { key: /token_secrets: \[(.*)\]/.exec(configuration)[1] });
}

for (const program of ['nginx', 'haproxy']) {
  const skip = isInstalled(program) ? false : `there is no ${program}`;

  test(`the daemon behind ${program}`, { skip }, async t => {
    const root = join(folder, `${program}-root`);
    mkdirSync(root);
    writeFileSync(join(root, 'film.mp4'), Buffer.alloc(200_000, 7));
    const token = await startBehind(t, program, ['credentials_per_second: 1', `root: ${root}`]);
    const browser = { host, origin: `https://${host}` };
    const from = (localAddress, path, headers = {}) => request('https://127.0.0.1', path,
      { headers: { ...browser, ...headers }, localAddress, servername: host, agent: false });

    await t.test('a page, and a part of a film', async () => {
      writeFileSync(join(root, 'index.html'), '<title>a page of one\'s own</title>');
      const page = await from('127.0.0.1', '/');
      assert.equal(page.status, 200);
      assert.match(page.body.toString(), /a page of one's own/);
      const part = await from('127.0.0.1', '/film.mp4', { range: 'bytes=10-19' });
      assert.deepEqual([part.status, part.body.length], [206, 10]);
    });

    await t.test('/ws', async () => {
      const options = { headers: { host, authorization: `Bearer ${token}` }, origin: browser.origin, rejectUnauthorized: false };
      const ann = await member('wss://127.0.0.1/ws', 'blue', 'Ann', options);
      const bob = await member('wss://127.0.0.1/ws', 'blue', 'Bob', options);
      await ann.hear('peer-joined');
      await bob.request({ type: 'signal', to: ann.id, data: 'x'.repeat(60_000) });
      assert.equal((await ann.hear('signal')).data.length, 60_000);
      assert.match(ann.joined.iceServers[0].urls[0], /^stun:turn\.example\.org:/);
      ann.close();
      bob.close();
      await assert.rejects(connect('wss://127.0.0.1/ws', { ...options, origin: 'https://evil.example' }),
        error => error.status === 403);
    });

    for (const transport of ['polling', 'websocket']) {
      await t.test(`Socket.IO by ${transport}`, async () => {
        const join = async () => {
          // Its XMLHttpRequest always sends the host of the URL in the Host header, even when another one is
          // given.
          const socket = io('https://127.0.0.1', { transports: [transport], extraHeaders: { origin: 'https://127.0.0.1' },
            rejectUnauthorized: false, auth: { token }, reconnection: false, forceNew: true });
          t.after(() => socket.close());
          await within(8000, 'the connection', new Promise((resolve, reject) => {
            socket.once('connect', resolve);
            socket.once('connect_error', reject);
          }));
          assert.deepEqual(await socket.timeout(8000).emitWithAck('join_room', transport), undefined);
          return socket;
        };
        const [ann, bob] = [await join(), await join()];
        const heard = within(8000, 'the chat', new Promise(resolve => ann.once('chat', resolve)));
        bob.emit('chat', Buffer.from([1, 2, 255]), transport);
        assert.deepEqual([...await heard], [1, 2, 255]);
      });
    }

    await t.test('limits count by the client that the proxy names, whatever the client itself claims', async () => {
      const headers = i => ({ authorization: `Bearer ${token}`, 'x-forwarded-for': `198.51.100.${i}` });
      const statuses = [];
      // The limit allows 20 at once and then one a second. 60 at the same time exceed it even on a slow
      // machine.
      const asked = Array.from({ length: 60 }, (_, i) => from('127.0.0.2', '/ice-servers', headers(i)));
      for (const answer of await Promise.all(asked)) statuses.push(answer.status);
      assert.ok(statuses.includes(200));
      assert.ok(statuses.includes(429), statuses.join(' '));
      assert.equal((await from('127.0.0.3', '/ice-servers', headers(0))).status, 200, 'somebody else is served');
    });
  });

  test(`behind ${program} each client may have as many connections as one address, and no more`, { skip }, async t => {
    const most = 3;
    const token = await startBehind(t, program, [`connections_per_address: ${most}`]);
    const options = (localAddress, claimed) => ({
      localAddress, rejectUnauthorized: false, servername: host, origin: `https://${host}`,
      headers: { host, authorization: `Bearer ${token}`, ...claimed && { 'x-forwarded-for': claimed } },
    });
    const open = async (...from) => {
      const socket = await connect('wss://127.0.0.1/ws', options(...from));
      t.after(() => socket.close());
      return socket;
    };
    // These connections do not use the proxy. Their address is not trusted to name another client.
    const openPast = async (...from) => {
      const socket = await connect('ws://127.0.0.1:8080/ws', options(...from));
      t.after(() => socket.close());
      return socket;
    };
    const tooMany = error => error.status === 429;
    const ask = async (path, ...from) =>
      (await request('https://127.0.0.1', path, { ...options(...from), agent: false })).status;
    const polling = '/socket.io/?EIO=4&transport=polling';

    const sockets = [];
    for (let i = 0; i < most; ++i) sockets.push(await open('127.0.0.2'));
    await assert.rejects(open('127.0.0.2'), tooMany, 'one more than it may have');
    assert.equal(await ask('/ice-servers', '127.0.0.2'), 429);
    assert.equal(await ask(polling, '127.0.0.2'), 429);

    // An address that the client itself writes, before the proxy adds its own, is not believed.
    await assert.rejects(open('127.0.0.2', '198.51.100.1'), tooMany);
    await assert.rejects(open('127.0.0.2', '127.0.0.3, 127.0.0.1'), tooMany);
    for (let i = 0; i < most; ++i) await open('127.0.0.3', '127.0.0.2');
    await assert.rejects(open('127.0.0.3', '127.0.0.4'), tooMany);
    assert.equal(await ask('/ice-servers', '127.0.0.4'), 200, 'somebody else is served');
    assert.equal(await ask(polling, '127.0.0.4'), 200);

    for (let i = 0; i < most; ++i) await openPast('127.0.0.5', '127.0.0.4');
    await assert.rejects(openPast('127.0.0.5', '127.0.0.6'), tooMany);
    await assert.rejects(open('127.0.0.5'), tooMany, 'it is one client, by the proxy and past it');
    for (let i = 0; i < most; ++i) await open('127.0.0.4');

    sockets[0].close();
    await sockets[0].ended;
    const freed = async () => {
      try { return await open('127.0.0.2'); } catch (error) { assert.equal(error.status, 429); }
    };
    await within(8000, 'the place of one who has left', (async () => { while (!await freed()); })());
    await assert.rejects(open('127.0.0.2'), tooMany, 'it was one place');
  });
}

const stunclient = process.env.STUNCLIENT ?? fileURLToPath(new URL('../../build/release/stunclient', import.meta.url));

// Resolves to the output of stunclient about an allocation of Alice's and a datagram that is relayed through
// it.
async function relayThrough(...args) {
  const env = { ...process.env, STUNCLIENT_PASSWORD: 'secret' };
  return (await promisify(execFile)(stunclient, ['--turn', '--user', 'alice', ...args], { env, timeout: 30_000 })).stdout;
}

const noStream = hasNginxStream() ? false : 'there is no stream module of nginx';
test('TURN over UDP and DTLS behind nginx', { skip: noStream }, async t => {
  const daemon = await startTurnpike(['realm: example.org',
    'listen: [{url: "udp://127.0.0.1:3479", proxy_protocol: [127.0.0.2], proxy_header: first}]',
    `tls: {certificate: ${certificate}, private_key: ${privateKey}}`, 'relay: {addresses: [127.0.0.1]}',
    'auth: {users: {alice: secret}}', 'peers: {allow: [127.0.0.0/8]}', ''].join('\n'));
  t.after(daemon.stop);
  // The proxy sends from another address than the clients, so that the test shows that turnpike uses the
  // client's.
  t.after(await startNginx({ stream: 'stream { server { listen 127.0.0.1:3478 udp; proxy_protocol on;\n' +
    'proxy_bind 127.0.0.2; proxy_pass 127.0.0.1:3479; } }' }));
  for (const protocol of ['udp', 'dtls']) {
    const said = await relayThrough('--protocol', protocol, '127.0.0.1:3478');
    const [, client] = /Mapped address: (127\.0\.0\.1:\d+)/.exec(said) ?? assert.fail(said);
    await saysLater(daemon, `client=${client}`); // lines come later than answers
  }
});

const onePort = '### One address and port';
const balanced = '### Behind a balancer that passes everything on';
const www = 'www.example.org';
const site = makeCertificate(www);
const root = join(folder, 'site');
mkdirSync(join(root, '.well-known', 'acme-challenge'), { recursive: true });
writeFileSync(join(root, 'index.html'), 'the site');
writeFileSync(join(root, 'film.mp4'), Buffer.alloc(3_000_000, 7));
writeFileSync(join(root, '.well-known', 'acme-challenge', 'x'), 'a challenge');

// The site behind HAProxy. It returns the address of its client in x-client, as nginx does below.
async function serveSite() {
  const server = createServer((asked, answer) => {
    const file = join(root, asked.url === '/' ? 'index.html' : asked.url);
    answer.writeHead(existsSync(file) ? 200 : 404, { 'x-client': asked.headers['x-forwarded-for'] });
    answer.end(existsSync(file) ? readFileSync(file) : '');
  }).listen(8082, '127.0.0.1');
  await once(server, 'listening');
  return () => { server.closeAllConnections(); server.close(); };
}

// Returns the README's configuration of the balancer, which uses an address of its own and connects to
// turnpike at another one.
const balancer = comment => block(comment, balanced).replace('10.0.0.1:443', '127.0.0.3:443')
  .replace('bind :443', 'bind 127.0.0.1:443').replace('send-proxy-v2', 'send-proxy-v2 source 127.0.0.2')
  .replace('listen 443;', 'listen 127.0.0.1:443; proxy_bind 127.0.0.2;');

// Each function starts the README's web server, and with `balances` also its balancer.
const webServers = {
  nginx: (t, { balances = false } = {}) => startNginx({
    http: withFiles(block('/etc/nginx/conf.d/', onePort), www, site)
      .replace('root /var/www/html;', `root ${root}; add_header x-client $remote_addr;`),
    stream: balances ? balancer('/etc/nginx/nginx.conf of the balancer') : '',
  }),
  haproxy: async (t, { balances = false } = {}) => {
    t.after(await serveSite());
    const ofSite = withFiles(block('/etc/haproxy/haproxy.cfg', onePort), www, site);
    return startHaproxy(`${haproxyDefaults}${ofSite}\n${balances ? balancer('/etc/haproxy/haproxy.cfg of the balancer') : ''}`);
  },
};

const get = (origin, host, path, options = {}) =>
  request(origin, path, { headers: { host }, servername: host, agent: false, ...options });
const text = answer => answer.body.toString();

// Checks that the site shows its own certificate and page, and that it sees this address as the client's.
async function expectSite(origin, localAddress) {
  const ask = { localAddress, ca: readFileSync(site.certificate), rejectUnauthorized: true };
  const page = await get(origin, www, '/', ask);
  assert.deepEqual([page.status, text(page), page.headers['x-client']], [200, 'the site', localAddress]);
}

async function expectSignaling(configuration) {
  const token = sign({ exp: inSeconds(600) }, { key: /token_secrets: \[(.*)\]/.exec(configuration)[1] });
  const options = { headers: { host, authorization: `Bearer ${token}` }, servername: host, origin: `https://${host}`, rejectUnauthorized: false };
  const ann = await member('wss://127.0.0.1/ws', 'blue', 'Ann', options);
  assert.match(JSON.stringify(ann.joined.iceServers), /turns:turn\.example\.org:443\?transport=tcp/);
  ann.close();
}

for (const program of ['nginx', 'haproxy']) {
  const skip = isInstalled(program) ? false : `there is no ${program}`;
  test(`the daemon in front of ${program}, on one address and port`, { skip }, async t => {
    const configuration = withFiles(block('/etc/turnpike/turnpike.yaml', onePort), host, own);
    const daemon = await startTurnpike(`realm: example.org\nrelay: {addresses: [127.0.0.1]}\n${configuration}\n`);
    t.after(daemon.stop);
    t.after(await webServers[program](t));

    await t.test('the site is served under its name, and sees the client\'s address', async () => {
      for (const localAddress of ['127.0.0.1', '127.0.0.9'])
        for (const origin of ['https://127.0.0.1', 'http://127.0.0.1']) await expectSite(origin, localAddress);
      assert.equal((await get('https://127.0.0.1', www, '/film.mp4')).body.length, 3_000_000);
    });

    await t.test('the site\'s certificate is served only for its name', async () => {
      const ask = { ca: readFileSync(site.certificate), rejectUnauthorized: true };
      await assert.rejects(get('https://127.0.0.1', host, '/', ask));
    });

    await t.test('a browser that asks for our name on a connection to the site gets 421', async () => {
      for (const name of [host, `${host}:443`])
        assert.equal((await get('https://127.0.0.1', name, '/', { servername: www })).status, 421);
    });

    await t.test('ACME requests and requests for unknown names go to the site', async () => {
      for (const name of [www, host])
        assert.equal(text(await get('http://127.0.0.1', name, '/.well-known/acme-challenge/x')), 'a challenge');
      assert.equal(text(await get('http://127.0.0.1', 'nobody.example', '/')), 'the site');
    });

    await t.test('our page and signaling are served beside the site', async () => {
      assert.match(text(await get('https://127.0.0.1', host, '/')), /<\/html>/);
      const moved = await get('http://127.0.0.1', host, '/');
      assert.deepEqual([moved.status, moved.headers.location], [308, `https://${host}/`]);
      await expectSignaling(configuration);
    });
  });

  // The client, the balancer, turnpike and the site have one address each, and the others see only the
  // client's.
  const cannot = program === 'nginx' ? noStream : skip;
  test(`the daemon between ${program} as a balancer and ${program} as a web site`, { skip: cannot }, async t => {
    const listener = block('/etc/turnpike/turnpike.yaml: as above, but', balanced).replace('0.0.0.0', '127.0.0.3')
      .replace('10.0.0.9', '127.0.0.2');
    const rest = block('/etc/turnpike/turnpike.yaml', onePort);
    const configuration = `${listener}\n${withFiles(rest.slice(rest.indexOf('signaling:')), host, own)}`;
    const daemon = await startTurnpike(`realm: example.org\nrelay: {addresses: [127.0.0.1]}\n${configuration}\n` +
      'auth: {users: {alice: secret}}\npeers: {allow: [127.0.0.0/8]}\n');
    t.after(daemon.stop);
    t.after(await webServers[program](t, { balances: true }));

    await t.test('the site and our page', async () => {
      for (const localAddress of ['127.0.0.1', '127.0.0.9']) await expectSite('https://127.0.0.1', localAddress);
      assert.equal((await get('https://127.0.0.1', www, '/film.mp4')).body.length, 3_000_000);
      assert.match(text(await get('https://127.0.0.1', host, '/')), /<\/html>/);
      await expectSignaling(configuration);
    });

    for (const protocol of ['tcp', 'tls']) {
      await t.test(`TURN by ${protocol}`, async () => {
        const said = await relayThrough('--protocol', protocol, '--localaddr', '127.0.0.9', '127.0.0.1:443');
        const [, client] = /Mapped address: (127\.0\.0\.9:\d+)/.exec(said) ?? assert.fail(said);
        assert.match(said, new RegExp(`Local address: ${client}\\b`));
        await saysLater(daemon, `client=${client}`); // lines come later than answers
      });
    }

    await t.test('no client can connect past the balancer', async () => {
      for (const name of [www, host])
        await assert.rejects(get('https://127.0.0.3', name, '/'), /ECONNRESET|socket hang up|disconnected/);
    });
  });
}
