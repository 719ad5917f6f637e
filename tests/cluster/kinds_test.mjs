// Tests what nodes do with a Redis that is of another kind, or has other settings, than the usual one: what they use it
// for, and what they say of one that they cannot use.
import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../browser/support/call_page.mjs';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { temporaryDirectory } from '../browser/support/cleanup.mjs';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { member } from '../signaling/support/client.mjs';
import { clusterSecret, membersAt, runCtl, saysLater, startCluster, startNode, startRedis, startTwoRedis, until } from './support.mjs';

const [nameA, nameB, nameC] = ['a', 'b', 'c'].map(letter => `${letter}.example.org`);

// Starts a server that only relays.
async function startRelay(t, url, { prefix = [], name = nameA, more = '' } = {}) {
  const node = await startTurnpike(
    `listen: ["udp://127.0.0.1:0"]\ncluster: {redis: "${url}", secret: ${clusterSecret}, node: ${name}}\n${more}`, prefix);
  t.after(node.stop);
  return node;
}

// Starts nodes with a socket for turnpikectl. ctl(name, …) resolves to what turnpikectl prints.
async function nodesWithControl(t, urls) {
  const folder = temporaryDirectory('kinds');
  t.after(folder.remove);
  const socket = name => `${folder.path}/${name}.sock`;
  const ctl = (name, ...words) => runCtl(socket(name), ...words);
  const start = async (name, url) => {
    const node = await startNode({ url }, name, { more: [`admin: {listen: "unix:${socket(name)}"}`] });
    t.after(node.stop);
    return node;
  };
  const listed = async name => JSON.parse(await ctl(name, '--json', 'nodes')).nodes.map(node => node.name);
  const nodes = await Promise.all(Object.entries(urls).map(([name, url]) => start(name, url)));
  for (const { name } of nodes) await until('all to be there', async () => (await listed(name)).length === nodes.length);
  return { nodes, ctl, listed, start };
}

const agree = (nodes, room, names) => until(`all to agree on ${names}`, async () => {
  const seen = await Promise.all(nodes.map(node => membersAt(node, room)));
  return seen.every(one => one.join() === names);
});

const unlimited = { signaling: ['credentials_per_second: 1000000'] }; // for all the visitors

test('a node that only relays is not in the cluster while its two connections reach different servers', async t => {
  const both = [await startRedis(), await startRedis()];
  for (const redis of both) t.after(redis.remove);
  // As behind one name or one balancer, each of the two has every other connection.
  let count = 0;
  let isWhole = false;
  const ways = new Set();
  const server = net.createServer(near => {
    const far = net.connect(both[isWhole ? 0 : ++count % 2].url.slice('unix:'.length));
    for (const [from, to] of [[near, far], [far, near]]) {
      ways.add(from);
      from.on('error', () => {}).on('close', () => to.destroy()).pipe(to);
    }
  });
  const port = await new Promise(resolve => { server.listen(0, '127.0.0.1', () => resolve(server.address().port)); });
  t.after(() => {
    for (const way of ways) way.destroy();
    server.close();
  });
  const folder = temporaryDirectory('relay');
  t.after(folder.remove);
  const node = await startRelay(t, `redis://127.0.0.1:${port}/0`, { more: `admin: {listen: "unix:${folder.path}/a.sock"}\n` });
  await saysLater(node, 'cluster: Redis cannot be reached: it does not pass on the messages of this node');
  assert.ok(!node.log().includes('cluster: Redis is there'));
  isWhole = true;
  await saysLater(node, 'cluster: Redis is there');
  assert.match(await runCtl(`${folder.path}/a.sock`, 'kill', '--user', 'ann'), /end/);
});

test('orders reach all nodes again when their commands have gone to another Redis than their subscriptions', async t => {
  const { way, two } = await startTwoRedis(t);
  const { nodes, ctl } = await nodesWithControl(t, { [nameA]: way.url, [nameB]: way.url });
  assert.match(await ctl(nameA, 'kill', '--user', 'ann'), /end/);
  const marks = nodes.map(node => node.log().length);
  way.switchTo(two);
  for (const [i, node] of nodes.entries()) await saysLater(node, 'it does not pass on the messages of this node', marks[i]);
  await until('an order to be carried out by both', () => ctl(nameA, 'kill', '--user', 'ann').then(() => true, () => false));
});

test('by TLS, a node accepts a Redis whose certificate is for its name, and says what is wrong with another', async t => {
  const { certificate, privateKey } = makeCertificate('127.0.0.1');
  const other = makeCertificate('redis.example.org');
  const start = async cert => {
    const port = await freePort('tcp');
    const redis = await startRedis({ more: ['--tls-port', String(port), '--tls-cert-file', cert.certificate,
      '--tls-key-file', cert.privateKey, '--tls-ca-cert-file', cert.certificate, '--tls-auth-clients', 'no'] });
    t.after(redis.remove);
    return { ...redis, port };
  };
  const both = [await start({ certificate, privateKey }), await start(other)];
  const [right, wrong] = both.map(({ port }) => port);
  const trusting = file => ({ prefix: ['env', `SSL_CERT_FILE=${file}`] });
  const saying = async (url, options, text) => {
    const node = await startRelay(t, url, options);
    await saysLater(node, text);
    return node;
  };
  const refusal = 'cluster: Redis cannot be reached: its certificate is refused: ';
  const node = await saying(`rediss://127.0.0.1:${right}/0`, trusting(certificate), 'cluster: Redis is there');
  await saying(`rediss://127.0.0.1:${right}/0`, trusting(other.certificate), `${refusal}self-signed certificate`);
  await saying(`rediss://127.0.0.1:${wrong}/0`, trusting(other.certificate), `${refusal}IP address mismatch`);
  await saying(`rediss://localhost:${wrong}/0`, trusting(other.certificate), `${refusal}hostname mismatch`);

  // It ends without a farewell of TLS's. What it had not read yet, such as a PING, makes it reset the connection.
  await both[0].stop();
  await both[0].start();
  await saysLater(node, 'cluster: Redis is away');
  assert.match(node.log(), /cluster: Redis is away \((it closed the connection|Connection reset by peer)\)/);
});

test('a part of a Redis Cluster is not used, and the log says why, without end', async t => {
  const redis = await startRedis({ port: await freePort('tcp'), more: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort('tcp'))] });
  t.after(redis.remove);
  await redis.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await until('it to be complete', async () => (await redis.command('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  const whole = await startNode(redis, nameA, { waits: false });
  t.after(whole.stop);
  await saysLater(whole, 'cluster: Redis cannot be reached: CROSSSLOT');
  await saysLater(whole, 'it is a part of a Redis Cluster, which cannot be used here');
  assert.ok(!whole.log().includes('cluster: Redis is there'));
});

test('a replica is not used until it is the primary', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  await redis.command('REPLICAOF', '127.0.0.1', '1');
  const node = await startRelay(t, redis.url);
  await saysLater(node, 'cluster: Redis cannot be reached: READONLY');
  assert.ok(!node.log().includes('cluster: Redis is there'));
  await redis.command('REPLICAOF', 'NO', 'ONE');
  await saysLater(node, 'cluster: Redis is there');
});

// From now on Redis cannot save what it has, as with a full disk, and so refuses whatever writes. Resolves to what ends
// this.
async function keepFromSaving(redis) {
  const [, folder] = (await redis.command('CONFIG', 'GET', 'dir')).split('\n');
  const inTheWay = join(folder, 'dump.rdb');
  const save = async result => {
    await redis.command('BGSAVE');
    await until(`a save to be ${result}`, async () => (await redis.command('INFO', 'persistence')).includes(`rdb_last_bgsave_status:${result}`));
  };
  await redis.command('CONFIG', 'SET', 'save', '3600 1');
  mkdirSync(inTheWay);
  await save('err');
  return async () => {
    rmdirSync(inTheWay);
    await save('ok');
  };
}

test('nodes that start while Redis refuses to write are in the cluster when it does again, and say once why they wait', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const b = await startNode(redis, nameB, unlimited);
  t.after(b.stop);
  const bob = await member(b.ws, 'blue', 'Bob');
  const letSave = await keepFromSaving(redis);
  const a = await startNode(redis, nameA, { ...unlimited, waits: false });
  t.after(a.stop);
  const relay = await startRelay(t, redis.url, { name: nameC });
  for (const node of [a, relay]) await saysLater(node, 'cluster: Redis cannot be reached: MISCONF');
  const ann = await member(a.ws, 'blue', 'Ann');
  for (const node of [a, relay]) assert.ok(!node.log().includes('cluster: Redis is there'));
  await letSave();
  for (const node of [a, relay]) await saysLater(node, 'cluster: Redis is there');
  await agree([a, b], 'blue', 'Ann,Bob');
  for (const node of [a, relay]) assert.equal(node.log().match(/MISCONF/g).length, 1);
  for (const line of [ann, bob]) line.close();
});

// A user of Redis's ACL, with these rules besides its password, the keys and the channels of the prefix.
async function userUrl(redis, user, ...rules) {
  assert.equal(await redis.command('ACL', 'SETUSER', user, 'on', '>a-password', '~turnpike:*', 'resetchannels', '&turnpike:*', ...rules), 'OK');
  return `redis://${user}:a-password@127.0.0.1:${redis.port}/0`;
}

test('the README\'s user of Redis\'s ACL may do all that nodes do', async t => {
  const redis = await startRedis({ port: await freePort('tcp') });
  t.after(redis.remove);
  const url = await userUrl(redis, 'node', '+@read', '+@write', '+@pubsub', '+@transaction', '+@connection');
  const nodes = await startCluster({ url }, [nameA, nameB], unlimited);
  for (const node of nodes) t.after(node.stop);
  const ann = await member(nodes[0].ws, 'blue', 'Ann');
  const bob = await member(nodes[1].ws, 'blue', 'Bob');
  await agree(nodes, 'blue', 'Ann,Bob');
  await nodes[1].kill();
  await until('Redis to know that it is gone', async () => (await redis.command('PUBSUB', 'NUMSUB', `turnpike:rooms:${nameB}`)).endsWith('0'));
  ann.say({ type: 'signal', to: bob.id, data: 'kept' });
  await until('it to be kept', async () => await redis.command('EXISTS', `turnpike:missed:${bob.id}`) === '1');
  assert.equal((await redis.command('ACL', 'LOG')), '');
  assert.ok(!nodes[0].log().includes('refuses a command'));
  ann.close();
});

// Its tokens and its relay credentials are revoked, so there are two revocations.
async function revokeOne(redis, ctl) {
  await ctl(nameA, 'revoke', '--subject', 'ann');
  await until('both to be there', async () => await redis.command('ZCARD', 'turnpike:revoked') === '2');
}

test('a node that may not read the revocations leaves them to the others', async t => {
  const redis = await startRedis({ port: await freePort('tcp') });
  t.after(redis.remove);
  const { ctl, listed, start } = await nodesWithControl(t, { [nameA]: redis.url });
  await revokeOne(redis, ctl);
  const stranger = await redis.connect();
  t.after(stranger.close);
  const deleted = await redis.connect();
  t.after(deleted.close);
  await stranger.command('CONFIG', 'SET', 'notify-keyspace-events', 'Kg');
  await deleted.command('SUBSCRIBE', '__keyspace@0__:turnpike:revoked');
  const limited = await start(nameB, await userUrl(redis, 'limited', '+@all', '-zrevrange'));
  await saysLater(limited, 'Redis refuses a command: NOPERM');
  await until('the two to know each other', async () => (await listed(nameA)).length === 2 && (await listed(nameB)).length === 2);
  assert.deepEqual(deleted.heard.map(({ payload }) => String(payload)), []);
  assert.equal(await redis.command('ZCARD', 'turnpike:revoked'), '2');
});

test('a node whose record Redis evicts again and again stays known', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const { listed } = await nodesWithControl(t, { [nameA]: redis.url, [nameB]: redis.url });
  const stranger = await redis.connect();
  t.after(stranger.close);
  // It writes its record again when it has seen that there is none, and the others look as often as it does.
  for (let evicted = 0; evicted < 6;) {
    evicted += Number(await stranger.command('DEL', `turnpike:node:${nameA}`));
    assert.deepEqual(await listed(nameB), [nameB, nameA]);
  }
});

test('revocations that Redis has evicted are written again for nodes that come later', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const { ctl } = await nodesWithControl(t, { [nameA]: redis.url });
  await revokeOne(redis, ctl);
  await redis.command('DEL', 'turnpike:revoked');
  await until('them to be there again', async () => await redis.command('ZCARD', 'turnpike:revoked') === '2');
});

test('a node whose subscription Redis cuts off, since it reads too slowly, is back with its members', { timeout: 120_000 }, async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  await redis.command('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 1mb 0 0');
  const nodes = await startCluster(redis, [nameA, nameB, nameC],
    { signaling: ['credentials_per_second: 1000000', 'bytes_per_second_per_address: 0'] });
  for (const node of nodes) t.after(node.stop);
  const [a, b] = nodes;
  const ann = await member(a.ws, 'blue', 'Ann');
  const bob = await member(b.ws, 'blue', 'Bob');
  await agree(nodes, 'blue', 'Ann,Bob');
  const mark = b.log().length;
  process.kill(b.pid, 'SIGSTOP');
  t.after(() => { try { process.kill(b.pid, 'SIGCONT'); } catch { /* it has ended */ } });
  const isDeaf = async () => (await redis.command('PUBSUB', 'NUMSUB', `turnpike:rooms:${b.name}`)).endsWith('0');
  await until('Redis to cut it off', async () => {
    for (let i = 0; i < 20; ++i) ann.say({ type: 'signal', to: bob.id, data: 'x'.repeat(50_000) });
    return isDeaf();
  });
  process.kill(b.pid, 'SIGCONT');
  await saysLater(b, 'cluster: Redis is away (it closed the connection)', mark);
  await agree(nodes, 'blue', 'Ann,Bob');
  ann.say({ type: 'signal', to: bob.id, data: 'here' });
  for (;;) if ((await bob.hear()).data === 'here') break;
  for (const line of [ann, bob]) line.close();
});
