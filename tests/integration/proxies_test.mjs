// nginx and HAProxy in front of the daemon, with the very configurations that the README gives, and nginx in front of TURN
// by UDP. Runs in a network of its own,
// see own_network, where the README's ports are free.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { atExit, temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { connect, member } from '../signaling/support/client.mjs';
import { request } from '../signaling/support/http.mjs';
import { inSeconds, token as sign } from '../signaling/support/server.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

process.env.PATH += ':/usr/sbin';
const host = 'turn.example.org';
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

// The indented block of the README that begins with this comment, the first below a heading.
function block(comment, heading = '### Behind nginx or HAProxy') {
  const lines = readme.slice(readme.indexOf(heading)).split('\n');
  const start = lines.findIndex(line => line.startsWith(`    # ${comment}`));
  assert.ok(start >= 0, `the README has no ${comment}`);
  const length = lines.slice(start).findIndex(line => !line.startsWith('    '));
  return lines.slice(start, start + length).map(line => line.slice(4)).join('\n');
}

const { certificate, privateKey } = makeCertificate(host);
const folder = temporaryDirectory('proxies').path;

const ownSite = () => block('/etc/nginx/conf.d/')
  .replace('/etc/letsencrypt/live/turn.example.org/fullchain.pem', certificate)
  .replace('/etc/letsencrypt/live/turn.example.org/privkey.pem', privateKey);

const proxies = {
  nginx: {
    configure(site = ownSite()) {
      // What stands around a site in Debian's nginx.conf, with folders of ours.
      const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`);
      const file = join(folder, 'nginx.conf');
      writeFileSync(file, `daemon off; user root; pid ${folder}/nginx.pid; error_log stderr notice;\nevents {}\n` +
        `http { access_log off; ${places.join(' ')}\n${site}\n}\n`);
      return ['-p', folder, '-e', 'stderr', '-c', file];
    },
    ready: /start worker process /,
  },
  haproxy: {
    configure() {
      const pem = join(folder, 'haproxy.pem');
      writeFileSync(pem, readFileSync(certificate, 'utf8') + readFileSync(privateKey, 'utf8'), { mode: 0o600 });
      const file = join(folder, 'haproxy.cfg');
      writeFileSync(file, 'defaults\n  timeout connect 5000\n  timeout client 50000\n  timeout server 50000\n' +
        `${block('/etc/haproxy/haproxy.cfg').replace('/etc/haproxy/turn.example.org.pem', pem)}\n`);
      return ['-W', '-db', '-f', file];
    },
    ready: /Loading success/,
  },
  // It speaks from another address than the clients, so that what turnpike takes for a client's is the client's.
  'nginx-stream': {
    program: 'nginx',
    configure() {
      const file = join(folder, 'nginx-stream.conf');
      writeFileSync(file, `load_module ${streamModule};\ndaemon off; user root; pid ${folder}/nginx-stream.pid;\n` +
        'error_log stderr notice;\nevents {}\nstream { server { listen 127.0.0.1:3478 udp; proxy_protocol on;\n' +
        'proxy_bind 127.0.0.2; proxy_pass 127.0.0.1:3479; } }\n');
      return ['-p', folder, '-e', 'stderr', '-c', file];
    },
    ready: /start worker process /,
  },
};
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

function isInstalled(program) {
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return process.env.CI === 'true'; // there it has to be
  }
}

// Resolves when it listens, to the function that stops it.
async function start(name, site) {
  const { program = name, configure, ready } = proxies[name];
  const child = spawn(program, configure(site), { stdio: ['ignore', 'pipe', 'pipe'] });
  const forget = atExit(() => child.kill('SIGTERM'));
  const ended = new Promise(resolve => child.once('close', resolve));
  let log = '';
  await within(10_000, `${program} to be ready`, new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => { log += text; if (ready.test(log)) resolve(); });
    ended.then(() => reject(new Error(`${program} ended: ${log}`)));
  }));
  return async () => {
    child.kill('SIGTERM');
    await within(10_000, `the end of ${program}`, ended);
    forget();
  };
}

// The daemon with the README's configuration and more lines of `signaling`, and the proxy in front of it. Resolves to a
// token that lets somebody in.
async function startBehind(t, program, signaling) {
  const configuration = block('/etc/turnpike/turnpike.yaml');
  const daemon = await startTurnpike(['realm: example.org', 'listen: ["udp://127.0.0.1:0"]',
    'relay: {addresses: [127.0.0.1]}', configuration, ...signaling.map(line => `  ${line}`), ''].join('\n'));
  t.after(daemon.stop);
  t.after(await start(program));
  return sign({ exp: inSeconds(600) }, { key: /token_secrets: \[(.*)\]/.exec(configuration)[1] });
}

for (const program of ['nginx', 'haproxy']) {
  const skip = isInstalled(program) ? false : `there is no ${program}`;

  test(`behind ${program}`, { skip }, async t => {
    const root = join(folder, `${program}-root`);
    mkdirSync(root);
    writeFileSync(join(root, 'film.mp4'), Buffer.alloc(200_000, 7));
    const token = await startBehind(t, program, ['credentials_per_second: 1', `root: ${root}`]);
    const browser = { host, origin: `https://${host}` };
    const from = (localAddress, path, headers = {}) => request('https://127.0.0.1', path,
      { headers: { ...browser, ...headers }, localAddress, servername: host, agent: false });

    await t.test('a page and a part of a film', async () => {
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
          // Its XMLHttpRequest names the host of the URL, whatever it is told.
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

    await t.test('limits count by the client that the proxy names, whatever it says itself', async () => {
      const headers = i => ({ authorization: `Bearer ${token}`, 'x-forwarded-for': `198.51.100.${i}` });
      const statuses = [];
      // Twenty at once and one a second: many more at the same time than a slow machine has seconds for.
      const asked = Array.from({ length: 60 }, (_, i) => from('127.0.0.2', '/ice-servers', headers(i)));
      for (const answer of await Promise.all(asked)) statuses.push(answer.status);
      assert.ok(statuses.includes(200));
      assert.ok(statuses.includes(429), statuses.join(' '));
      assert.equal((await from('127.0.0.3', '/ice-servers', headers(0))).status, 200, 'somebody else is served');
    });
  });

  test(`behind ${program} each client has the connections that an address may have, and no more`, { skip }, async t => {
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
    // Past the proxy, from an address that is not trusted to name somebody else.
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

    // What a client says before the proxy does is believed by nobody.
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

const hasStream = isInstalled('nginx') && (existsSync(streamModule) || process.env.CI === 'true');
test('TURN by UDP and DTLS behind nginx', { skip: hasStream ? false : 'there is no stream module of nginx' }, async t => {
  const daemon = await startTurnpike(['realm: example.org',
    'listen: [{url: "udp://127.0.0.1:3479", proxy_protocol: [127.0.0.2], proxy_header: first}]',
    `tls: {certificate: ${certificate}, private_key: ${privateKey}}`, 'relay: {addresses: [127.0.0.1]}',
    'auth: {users: {alice: secret}}', 'peers: {allow: [127.0.0.0/8]}', ''].join('\n'));
  t.after(daemon.stop);
  t.after(await start('nginx-stream'));
  const stunclient = process.env.STUNCLIENT ?? fileURLToPath(new URL('../../build/release/stunclient', import.meta.url));
  for (const protocol of ['udp', 'dtls']) {
    const env = { ...process.env, STUNCLIENT_PASSWORD: 'secret' };
    const { stdout } = await promisify(execFile)(stunclient,
      ['--turn', '--user', 'alice', '--protocol', protocol, '127.0.0.1:3478'], { env, timeout: 30_000 });
    const [, client] = /Mapped address: (127\.0\.0\.1:\d+)/.exec(stdout) ?? assert.fail(stdout);
    assert.ok(daemon.log().includes(`client=${client}`), daemon.log());
  }
});

test('in front of nginx, on one address and port', { skip: isInstalled('nginx') ? false : 'there is no nginx' }, async t => {
  const heading = '### One address and port';
  const www = 'www.example.org';
  const site = makeCertificate(www);
  const root = join(folder, 'site');
  mkdirSync(join(root, '.well-known', 'acme-challenge'), { recursive: true });
  writeFileSync(join(root, 'index.html'), 'the site');
  writeFileSync(join(root, 'film.mp4'), Buffer.alloc(3_000_000, 7));
  writeFileSync(join(root, '.well-known', 'acme-challenge', 'x'), 'a challenge');
  const configuration = block('/etc/turnpike/turnpike.yaml', heading)
    .replace('/etc/letsencrypt/live/turn.example.org/fullchain.pem', certificate)
    .replace('/etc/letsencrypt/live/turn.example.org/privkey.pem', privateKey);
  const daemon = await startTurnpike(`realm: example.org\nrelay: {addresses: [127.0.0.1]}\n${configuration}\n`);
  t.after(daemon.stop);
  t.after(await start('nginx', block('/etc/nginx/conf.d/', heading)
    .replace('/etc/letsencrypt/live/www.example.org/fullchain.pem', site.certificate)
    .replace('/etc/letsencrypt/live/www.example.org/privkey.pem', site.privateKey)
    .replace('root /var/www/html;', `root ${root}; add_header x-client $remote_addr;`)));

  const get = (origin, host, path, options = {}) =>
    request(origin, path, { headers: { host }, servername: host, agent: false, ...options });
  const text = answer => answer.body.toString();

  await t.test('the site by its name, and whose request it is', async () => {
    for (const localAddress of ['127.0.0.1', '127.0.0.9']) {
      for (const origin of ['https://127.0.0.1', 'http://127.0.0.1']) {
        const page = await get(origin, www, '/', { localAddress });
        assert.deepEqual([page.status, text(page), page.headers['x-client']], [200, 'the site', localAddress]);
      }
    }
    assert.equal((await get('https://127.0.0.1', www, '/film.mp4')).body.length, 3_000_000);
  });

  await t.test('its certificate, by its name alone', async () => {
    const ask = { ca: readFileSync(site.certificate), rejectUnauthorized: true };
    assert.equal((await get('https://127.0.0.1', www, '/', ask)).status, 200);
    await assert.rejects(get('https://127.0.0.1', host, '/', ask));
  });

  await t.test('an ACME client of the site, and a name that nobody knows', async () => {
    assert.equal(text(await get('http://127.0.0.1', www, '/.well-known/acme-challenge/x')), 'a challenge');
    assert.equal(text(await get('http://127.0.0.1', 'nobody.example', '/')), 'the site');
  });

  await t.test('our page and signaling beside it', async () => {
    assert.match(text(await get('https://127.0.0.1', host, '/')), /<\/html>/);
    assert.equal((await get('http://127.0.0.1', host, '/')).status, 308);
    const token = sign({ exp: inSeconds(600) }, { key: /token_secrets: \[(.*)\]/.exec(configuration)[1] });
    const options = { headers: { host, authorization: `Bearer ${token}` }, servername: host, origin: `https://${host}`, rejectUnauthorized: false };
    const ann = await member('wss://127.0.0.1/ws', 'blue', 'Ann', options);
    assert.match(JSON.stringify(ann.joined.iceServers), /turns:turn\.example\.org:443\?transport=tcp/);
    ann.close();
  });
});
