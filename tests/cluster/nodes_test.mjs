// Tests what the nodes of a cluster know of each other: to which node clients are sent, and that credentials
// of one node are valid on the others.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { member } from '../signaling/support/client.mjs';
import { request } from '../signaling/support/http.mjs';
import { Client } from './relayed_call.mjs';
import { portOf, runCtl, saysLater, startNode, startRedis, udpPort, until } from './support.mjs';

const run = promisify(execFile);
const beside = name => fileURLToPath(new URL(name, `file://${process.env.TURNPIKE ?? fileURLToPath(new URL('../../build/release/turnpike', import.meta.url))}`));
const stunclient = process.env.STUNCLIENT ?? beside('stunclient');

const iceServers = async node => (await (await fetch(`${node.url}/ice-servers`)).json()).iceServers;
const hostsOf = entries => new Set(entries.flatMap(entry => entry.urls).map(url => url.split(':')[1]));

// Resolves when a datagram was relayed with these credentials, and throws otherwise.
const relays = (node, username, credential) =>
  run(stunclient, ['--turn', '--user', username, '--password', credential, '127.0.0.1', String(udpPort(node))]);

test('clients get the URLs of two nodes, with credentials that are valid on both', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const folder = temporaryDirectory('nodes');
  t.after(folder.remove);
  const socketOf = name => `${folder.path}/${name}.sock`;
  const start = name => startNode(redis, name, {
    more: [`admin: {listen: "unix:${socketOf(name)}"}`, `auth: {database: "sqlite:${folder.path}/${name}.db"}`],
  });
  const ctl = (name, ...words) => runCtl(socketOf(name), ...words);
  const names = ['a.example.org', 'b.example.org', 'c.example.org'];
  const nodes = await Promise.all(names.map(start));
  for (const node of nodes) t.after(node.stop);
  const [a, b] = nodes;

  await until('a to know two others', async () => JSON.parse(await ctl(a.name, '--json', 'nodes')).nodes.length === 3);
  await t.test('a node names itself first, and one other node', async () => {
    const seen = new Set();
    for (let i = 0; i < 60; ++i) {
      const entries = await iceServers(a);
      const hosts = [...hostsOf(entries)];
      assert.equal(hosts.length, 2);
      assert.equal(hosts[0], a.name);
      seen.add(hosts[1]);
    }
    assert.deepEqual(seen, new Set([names[1], names[2]]));
  });

  await t.test('credentials of one node are valid on the other', async () => {
    const entry = (await iceServers(a)).find(one => one.credential);
    for (const node of nodes) await relays(node, entry.username, entry.credential);
    await assert.rejects(relays(b, entry.username, 'wrong'));
  });

  await t.test('a nonce of one node is valid on the other', async () => {
    const { username, credential } = (await iceServers(a)).find(one => one.credential);
    const client = new Client({ port: udpPort(a), username, credential });
    await client.allocate();
    client.port = udpPort(b);
    await client.allocate(); // throws when the nonce is stale
    client.socket.close();
  });

  await t.test('turnpikectl nodes lists the nodes', async () => {
    const table = await ctl(a.name, 'nodes');
    for (const name of names) assert.match(table, new RegExp(`${name.replaceAll('.', '\\.')}.*ready`));
    assert.match(table, /a\.example\.org \*/);
  });

  await t.test('an order to end the allocations of a user reaches all nodes', async t => {
    const { username, credential } = (await iceServers(a)).find(one => one.credential);
    // This client has its allocation before the order, and makes no other after it.
    const client = new Client({ port: udpPort(b), username, credential });
    t.after(() => client.socket.close());
    await client.allocate();
    const allocations = async node => JSON.parse(await ctl(node.name, '--json', 'allocations')).allocations;
    assert.notEqual((await allocations(b)).length, 0);
    const user = username.slice(username.indexOf(':') + 1);
    assert.match(await ctl(a.name, 'kill', '--user', user), /end/);
    await until('its allocation to end', async () => (await allocations(b)).length === 0);
    await assert.rejects(ctl(a.name, 'kill'), /ID|--user/);
  });

  await t.test('a user is added on one node, and removed on all', async () => {
    const add = async name => JSON.parse(await ctl(name, '--json', 'user', 'add', 'ann', '--generate'));
    const users = async name => JSON.parse(await ctl(name, '--json', 'user', 'list')).users.map(user => user.name);
    const { password, everywhere } = await add(a.name);
    assert.equal(everywhere, false);
    await relays(a, 'ann', password);
    await assert.rejects(relays(b, 'ann', password));
    assert.match(await ctl(b.name, 'user', 'add', 'ann', '--generate'), /changes only this node/);
    assert.deepEqual(JSON.parse(await ctl(names[2], '--json', 'user', 'remove', 'ann')),
      { name: 'ann', here: false, everywhere: true, missed: [] });
    await until('the user to be gone', async () => (await users(a.name)).length + (await users(b.name)).length === 0);
    await assert.rejects(relays(a, 'ann', password));
  });

  await t.test('a subject that is revoked on one node is refused relaying on all', async () => {
    const { username, credential } = (await iceServers(a)).find(one => one.credential);
    await relays(b, username, credential);
    const subject = username.slice(username.indexOf(':') + 1);
    assert.equal(JSON.parse(await ctl(names[2], '--json', 'revoke', '--subject', subject)).everywhere, true);
    await until('b to refuse it', () => relays(b, username, credential).then(() => false, () => true));
  });

  await t.test('no client is sent to a node that drains', async () => {
    const line = await member(b.ws, 'blue', 'Ann'); // a call continues there
    await ctl(b.name, 'drain', '--deadline', '60s');
    await until('a to know it', async () => !/b\.example\.org +ready/.test(await ctl(a.name, 'nodes')));
    for (let i = 0; i < 20; ++i) assert.ok(!hostsOf(await iceServers(a)).has(b.name));
    line.close();
  });

  await t.test('ten seconds after a node was killed no client is sent to it, even if its record is repeated', async () => {
    const key = `turnpike:node:${names[2]}`;
    const old = await redis.command('GET', key);
    await until('the node to write anew', async () => await redis.command('GET', key) !== old);
    const last = await redis.command('GET', key);
    await nodes[2].kill();
    await redis.command('SET', key, last); // for ever
    await until('the node to be forgotten', async () => !(await ctl(a.name, 'nodes')).includes(names[2]));
    await redis.command('SET', key, old);
    await saysLater(a, `an old record of node ${names[2]} was written again`);
    assert.ok(!(await ctl(a.name, 'nodes')).includes(names[2]));
    assert.deepEqual(hostsOf(await iceServers(a)), new Set([a.name]));
  });

  await t.test('without Redis a node names only itself', async () => {
    await redis.stop();
    await until('a to notice', async () => hostsOf(await iceServers(a)).size === 1);
    await saysLater(a, 'cluster: Redis is away');
    const table = await ctl(a.name, 'nodes');
    assert.ok(table.includes(a.name));
    await ctl(a.name, 'user', 'add', 'ann', '--generate');
    await assert.rejects(ctl(a.name, 'user', 'remove', 'ann'), /the other nodes cannot be reached/);
    assert.deepEqual(JSON.parse(await ctl(a.name, '--json', 'user', 'list')).users, []);
    await redis.start();
  });
});

test('a TLS session of one node is resumed on another', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const { certificate, privateKey } = makeCertificate('127.0.0.1');
  const ports = await Promise.all(['a', 'b'].map(async letter => {
    const node = await startNode(redis, `${letter}.example.org`, {
      listen: 'tls://127.0.0.1:0', more: [`tls: {certificate: ${certificate}, private_key: ${privateKey}}`],
    });
    t.after(node.stop);
    return portOf(node.listeners.find(url => url.startsWith('tls')));
  }));
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const connect = async (port, session) => {
      const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: version, maxVersion: version, session });
      t.after(() => socket.destroy());
      const ticket = once(socket, 'session');
      ticket.catch(() => {});
      await within(8000, 'TLS', once(socket, 'secureConnect'));
      return { socket, ticket };
    };
    const [session] = await within(8000, 'a ticket', (await connect(ports[0])).ticket);
    assert.equal((await connect(ports[1], session)).socket.isSessionReused(), true, version);
  }
});

test('a revocation also takes effect on nodes that start later, and after Redis was away', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const folder = temporaryDirectory('nodes');
  t.after(folder.remove);
  const start = async name => {
    const socket = `${folder.path}/${name}.sock`;
    const node = await startNode(redis, `${name}.example.org`, { more: [`admin: {listen: "unix:${socket}"}`] });
    t.after(node.stop);
    const revoke = async subject => JSON.parse((await runCtl(socket, '--json', 'revoke', '--subject', subject)));
    return { ...node, revoke };
  };
  const a = await start('a');
  const b = await start('b');
  // A guest's name is derived from its address.
  const guestOf = async (node, localAddress) => {
    const { iceServers: entries } = JSON.parse((await request(node.url, '/ice-servers', { localAddress })).body);
    const { username, credential } = entries.find(one => one.credential);
    return { username, credential, subject: username.slice(username.indexOf(':') + 1) };
  };
  const ann = await guestOf(a, '127.0.0.2');
  const isRefused = node => relays(node, ann.username, ann.credential).then(() => false, () => true);

  await t.test('a node that starts after the revocation', async () => {
    const { kept, everywhere } = await a.revoke(ann.subject);
    assert.deepEqual({ kept, everywhere }, { kept: true, everywhere: true });
    await until('b to refuse it', () => isRefused(b));
    const c = await start('c');
    await until('c to refuse it', () => isRefused(c));
    await c.stop();
  });

  await t.test('a node that was restarted while all others were away', async () => {
    await Promise.all([a.stop(), b.stop()]);
    const later = await start('b');
    await until('b to refuse it', () => isRefused(later));
    // The value is read strictly: a false entry is ignored, and a value that is not a set is replaced.
    await redis.command('ZADD', 'turnpike:revoked', '9000000000000', 'a lie');
    const d = await start('d');
    await saysLater(d, 'something at turnpike:revoked is not signed with our secret, or is malformed: it is ignored');
    await until('d to refuse it', () => isRefused(d));
    await redis.command('SET', 'turnpike:revoked', 'no set');
    const e = await start('e');
    await until('the key to be replaced', async () => await redis.command('TYPE', 'turnpike:revoked') !== 'string');
    await until('e to refuse it, since the others have written it again', () => isRefused(e));
    const f = await start('f');
    await d.stop();
    await redis.stop();
    await saysLater(later, 'cluster: Redis is away');
    await redis.start();
    await until('f to refuse it, since b has told', () => isRefused(f));
  });

  await t.test('a node that could not be reached at that time', async () => {
    const [g, h] = [await start('g'), await start('h')];
    const bob = await guestOf(g, '127.0.0.3');
    await redis.stop();
    await saysLater(g, 'cluster: Redis is away');
    await assert.rejects(g.revoke(bob.subject));
    await relays(h, bob.username, bob.credential);
    await redis.start();
    await until('h to refuse it', () => relays(h, bob.username, bob.credential).then(() => false, () => true));
  });
});
