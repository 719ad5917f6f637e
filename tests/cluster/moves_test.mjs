// Tests members that come back to another node: what the nodes and Redis know of them afterwards, and what
// the members are told meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, member } from '../signaling/support/client.mjs';
import { inSeconds, secret, token } from '../signaling/support/server.mjs';
import { temporaryDirectory } from '../browser/support/cleanup.mjs';
import { membersAt, runCtl, saysLater, startCluster, startNode, startRedis, until } from './support.mjs';

const names = ['a.example.org', 'b.example.org', 'c.example.org'];

async function clusterOf(t, options = {}) {
  const redis = await startRedis();
  t.after(redis.remove);
  const nodes = await startCluster(redis, names, options);
  for (const node of nodes) t.after(node.stop);
  return { redis, nodes };
}

const comesBack = async (node, who) => {
  const line = await connect(node.ws);
  const numbers = [];
  line.on('message', text => {
    const { type, data } = JSON.parse(text);
    if (type === 'signal' || type === 'broadcast') numbers.push(data);
  });
  const [joined] = await line.request({ type: 'resume', resume: who.joined.resume });
  return Object.assign(line, { joined, id: joined.self, numbers });
};
const meet = async (line, count) => { // resolves when the member knows this many others
  let known = line.joined.peers.length;
  while (known < count) {
    await line.hear('peer-joined');
    ++known;
  }
};
const isDeafTo = (redis, node) => until('Redis to know that the node is gone', async () =>
  (await redis.command('PUBSUB', 'NUMSUB', `turnpike:rooms:${node.name}`)).endsWith('0'));

test('a member that moves leaves nothing on its former node', async t => {
  const { redis, nodes: [a, b] } = await clusterOf(t);
  const keep = await member(a.ws, 'blue', 'Keep');
  const ann = await member(a.ws, 'blue', 'Ann');
  const isWritten = async node => await redis.command('HEXISTS', `turnpike:members:${node.name}`, ann.id) === '1';
  await until('her to be known', () => isWritten(a));
  ann.terminate();
  await ann.ended;
  const again = await comesBack(b, ann);
  await until('her to be written', () => isWritten(b));
  await until('her to be gone from the first', async () => !await isWritten(a));
  await again.request({ type: 'leave' });
  await until('her to be gone', async () => !await isWritten(b));
  const late = await startNode(redis, 'd.example.org');
  t.after(late.stop);
  for (const node of [a, b]) await saysLater(late, `node ${node.name} is there`);
  let found;
  await until('the late node to know who is there', async () => {
    const visitor = await member(late.ws, 'blue', 'Visitor');
    found = visitor.joined.peers.filter(peer => peer.name !== 'Visitor').map(peer => peer.name);
    visitor.close();
    return found.length > 0;
  });
  assert.deepEqual(found, ['Keep']);
  for (const line of [keep, again]) line.close();
});

test('a token that was revoked before its node was known to be dead lets nobody come back', async t => {
  const folder = temporaryDirectory('moves');
  t.after(folder.remove);
  const redis = await startRedis();
  t.after(redis.remove);
  const socket = name => `${folder.path}/${name}.sock`;
  const nodes = await Promise.all(names.map(name => startNode(redis, name, {
    signaling: ['access: token', `token_secrets: [${secret}]`], more: [`admin: {listen: "unix:${socket(name)}"}`],
  })));
  for (const node of nodes) {
    t.after(node.stop);
    for (const name of names) if (name !== node.name) await saysLater(node, `node ${name} is there`);
  }
  const [a, b, c] = nodes;
  const comes = async (node, jti) => {
    const line = await connect(node.ws);
    const [joined] = await line.request({ type: 'join', room: 'blue', name: jti, token: token({ exp: inSeconds(600), jti }) });
    return Object.assign(line, { joined, id: joined.self });
  };
  const other = await comes(c, 'other');
  const ann = await comes(a, 'ann');
  await other.hear('peer-joined');
  await until('b to wait for a', async () => (await runCtl(socket(b.name), 'nodes')).includes(a.name));
  await a.kill();
  await assert.rejects(runCtl(socket(b.name), 'revoke', 'ann'), /not carried out the command: a\.example\.org \(it does not answer\)/);
  await until('c to know it', () => comes(c, 'ann').then(line => line.close(), error => error.code === 'token-revoked'));
  await assert.rejects(comesBack(c, ann), error => error.code === 'resume-unknown');
  for (const node of [b, c]) assert.ok(!node.log().includes(`node ${a.name} is gone`), 'nobody knows it yet');
  other.close();
});

// Sends one number after the other until `done`, from several members in turn. Resolves to how many.
async function sayNumbers(line, message, done) {
  let count = 0;
  while (!done()) {
    for (let i = 0; i < 4; ++i) line.say({ ...message, data: count++ });
    await new Promise(resolve => { setTimeout(resolve, 2); });
  }
  return count;
}

test('messages that are sent while a member moves arrive once and in order', { timeout: 120_000 }, async t => {
  const { redis, nodes: [a, b, c] } = await clusterOf(t);
  const cid = await member(c.ws, 'blue', 'Cid');
  const heardOf = new Set();
  cid.on('message', text => { if (JSON.parse(text).type === 'peer-joined') heardOf.add(JSON.parse(text).peer.id); });

  // Ann comes back to B while Cid sends numbers, and receives all of them in order.
  async function hearsAllAtB(ann, saying) {
    let moved = false;
    const said = sayNumbers(cid, saying, () => moved);
    const again = await comesBack(b, ann);
    await until('her to hear something', () => again.numbers.length > 20);
    moved = true;
    const count = await said;
    await until('the rest', () => again.numbers.length >= count).catch(() => {});
    assert.deepEqual(again.numbers, Array.from({ length: count }, (_, i) => i));
    return again;
  }

  for (const kind of ['signal', 'broadcast']) {
    await t.test(`a ${kind} moves from node to node`, async () => {
      for (let round = 0; round < 6; ++round) {
        const ann = await member(a.ws, 'blue', 'Ann');
        await until('Cid to know her', () => heardOf.has(ann.id));
        ann._socket.end(); // without a goodbye; her node closes its side in the moment when it has noticed
        await ann.ended;
        const again = await hearsAllAtB(ann, { type: kind, ...(kind === 'signal' && { to: ann.id }) });
        await again.request({ type: 'leave' });
        again.close();
      }
    });
  }

  await t.test('a member comes from a node that has died', async () => {
    const ann = await member(a.ws, 'blue', 'Ann');
    await until('Cid to know her', () => heardOf.has(ann.id));
    await a.kill();
    await isDeafTo(redis, a);
    (await hearsAllAtB(ann, { type: 'broadcast' })).close();
  });
  cid.close();
});

test('a member whose node has died comes back with everything it missed, or not at all', async t => {
  const { redis, nodes: [a, b, c] } = await clusterOf(t);
  const cid = await member(c.ws, 'blue', 'Cid');
  const [ann, amy, ben] = [await member(a.ws, 'blue', 'Ann'), await member(a.ws, 'blue', 'Amy'), await member(a.ws, 'blue', 'Ben')];
  await meet(cid, 3);
  await a.kill();
  await isDeafTo(redis, a);
  for (let i = 0; i < 256; ++i) cid.say({ type: 'signal', to: ann.id, data: i });
  for (let i = 0; i < 257; ++i) cid.say({ type: 'signal', to: amy.id, data: i });
  for (let i = 0; i < 6; ++i) cid.say({ type: 'signal', to: ben.id, data: 'x'.repeat(60_000) });
  const lost = new Set();
  while (lost.size < 2) lost.add((await cid.hear('peer-left')).id);
  assert.deepEqual(lost, new Set([amy.id, ben.id]));
  const again = await comesBack(b, ann);
  await until('what she has missed', () => again.numbers.length === 256);
  assert.deepEqual(again.numbers, Array.from({ length: 256 }, (_, i) => i));
  for (const one of [amy, ben]) {
    await assert.rejects(comesBack(b, one), error => error.code === 'resume-unknown');
    await until('nothing to be kept', async () => await redis.command('EXISTS', `turnpike:missed:${one.id}`) === '0');
  }
  for (const line of [cid, again]) line.close();
});

test('what is sent while Redis is away is kept for members whose node dies then', { timeout: 90_000 }, async t => {
  const { redis, nodes: [a, b, c] } = await clusterOf(t, { signaling: ['credentials_per_second: 1000000'] }); // for all the visitors
  const ann = await member(a.ws, 'blue', 'Ann');
  const cid = await member(c.ws, 'blue', 'Cid');
  // Redis must not end before it has told each node of both; with threads of its own it tells one after the other.
  for (const node of [b, c]) await until('both to be known', async () => (await membersAt(node, 'blue')).join() === 'Ann,Cid');
  const marks = [b, c].map(node => node.log().length);
  await redis.stop();
  await saysLater(c, 'cluster: Redis is away', marks[1]);
  cid.say({ type: 'broadcast', data: 'anybody?' });
  await a.kill();
  await redis.start();
  for (const [i, node] of [b, c].entries()) await saysLater(node, `node ${a.name} is gone`, marks[i]);
  const again = await comesBack(b, ann);
  await until('her to hear it', () => again.numbers.length > 0);
  assert.deepEqual(again.numbers, ['anybody?']);
  for (const line of [cid, again]) line.close();
});
