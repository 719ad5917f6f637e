// Tests rooms whose members came to different nodes, with a real Redis: by the plain protocol and by
// Socket.IO, while nodes and Redis end and come back.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { connect, member } from '../signaling/support/client.mjs';
import { saysLater, startCluster, startNode, startRedis, startSwitch, startTwoRedis, until } from './support.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

const next = (socket, event) => within(8000, event, new Promise(resolve => {
  socket.once(event, (...values) => resolve(values));
}));

// Returns the members that a member finds in its room, and those of which it is told afterwards, because
// another node may learn of them later.
async function finds(line, count) {
  const peers = [...line.joined.peers];
  while (peers.length < count) peers.push((await line.hear('peer-joined')).peer);
  return peers;
}

// Starts two nodes. The first one is stopped after the test; the test ends the second one in its own way.
async function startTwo(t) {
  const redis = await startRedis();
  t.after(redis.remove);
  const [a, b] = await startCluster(redis, ['a.example.org', 'b.example.org']);
  t.after(a.stop);
  return { redis, a, b };
}

// Ann joins the room on the first node, and Bob on the second one. Resolves to both when each knows of the
// other.
async function annAndBob(first, second, room = 'blue') {
  const ann = await member(first.ws, room, 'Ann');
  const bob = await member(second.ws, room, 'Bob');
  await finds(bob, 1);
  await ann.hear('peer-joined');
  return [ann, bob];
}

// The member comes to another node, with the secret that it has got.
async function comesBack(node, who) {
  const line = await connect(node.ws);
  const [joined, ...missed] = await line.request({ type: 'resume', resume: who.joined.resume });
  assert.equal(joined.self, who.id);
  return Object.assign(line, { joined, id: joined.self, missed });
}

test('rooms with members on several nodes', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const nodes = await startCluster(redis, ['a.example.org', 'b.example.org', 'c.example.org']);
  const [a, b, c] = nodes;
  for (const node of nodes) t.after(node.stop);

  await t.test('members meet, send each other messages in order, and leave', async () => {
    const ann = await member(a.ws, 'blue', 'Ann');
    const bob = await member(b.ws, 'blue', 'Bob');
    assert.deepEqual(await finds(bob, 1), [{ id: ann.id, name: 'Ann' }]);
    assert.deepEqual((await ann.hear('peer-joined')).peer, { id: bob.id, name: 'Bob' });
    const cleo = await member(c.ws, 'blue', 'Cleo');
    assert.deepEqual(new Set((await finds(cleo, 2)).map(peer => peer.name)), new Set(['Ann', 'Bob']));
    await ann.hear('peer-joined');
    await bob.hear('peer-joined');
    for (let i = 0; i < 50; ++i) ann.say({ type: 'signal', to: bob.id, data: i });
    for (let i = 0; i < 50; ++i) assert.equal((await bob.hear('signal')).data, i);
    ann.say(`{"type":"signal","to":"${cleo.id}","data":{"n": 1.0, "s":"\\ud83d"}}`);
    assert.equal(await cleo.hearText(), `{"type":"signal","from":"${ann.id}","data":{"n": 1.0, "s":"\\ud83d"}}`);
    await bob.request({ type: 'broadcast', data: 'to all' });
    assert.equal((await ann.hear('broadcast')).data, 'to all');
    assert.equal((await cleo.hear('broadcast')).from, bob.id);
    await bob.request({ type: 'leave' });
    assert.deepEqual(await ann.hear(), { type: 'peer-left', id: bob.id, reason: 'left' });
    assert.deepEqual(await cleo.hear(), { type: 'peer-left', id: bob.id, reason: 'left' });
    for (const line of [ann, cleo]) assert.deepEqual(await line.request({ type: 'ping' }), [], 'and nothing else was said');
    for (const line of [ann, bob, cleo]) line.close();
  });

  await t.test('the course dialect and the plain protocol exchange messages, also with octets', async () => {
    const sockets = [a, b].map(node => io(node.url, { forceNew: true }));
    t.after(() => sockets.forEach(socket => socket.close()));
    const [ann, bob] = sockets;
    await ann.timeout(8000).emitWithAck('join_room', 'class');
    const welcome = next(ann, 'welcome');
    await new Promise(resolve => { bob.emit('nickname', 'Bob', resolve); });
    await bob.timeout(8000).emitWithAck('join_room', 'class');
    assert.deepEqual((await welcome)[1], 2);
    const offer = next(bob, 'offer');
    ann.emit('offer', { sdp: 'x', blob: Buffer.from([1, 2, 3]) }, 'class');
    const [data, from] = await offer;
    assert.equal(from, ann.id);
    assert.deepEqual(Buffer.from(data.blob), Buffer.from([1, 2, 3]));
    const heard = next(ann, 'welcome');
    const plain = await member(c.ws, 'class', 'Cleo');
    assert.deepEqual(await heard, ['Cleo', 3]);
    await finds(plain, 2);
    const text = next(bob, 'new_message');
    ann.emit('new_message', 'hello', 'class');
    assert.deepEqual(await text, ['Anon: hello']);
    assert.equal((await plain.hear('broadcast')).data, 'Anon: hello');
    ann.emit('nickname', 'Ann');
    assert.deepEqual(await plain.hear(), { type: 'peer-renamed', id: ann.id, name: 'Ann' });
    const bye = next(ann, 'bye');
    bob.close();
    assert.deepEqual(await bye, ['Bob', 2]);
    plain.close();
  });

  await t.test('the members of all nodes count for the limit of a room', async () => {
    const small = await startNode(redis, 'd.example.org', { signaling: ['members_per_room: 2'] });
    t.after(small.stop);
    for (const node of nodes) await saysLater(small, `node ${node.name} is there`);
    const [ann, bob] = await annAndBob(a, b, 'pair');
    const late = await connect(small.ws);
    await until('the room to be full', async () => {
      const refusal = await late.request({ type: 'join', room: 'pair', name: 'Late' })
        .then(() => late.request({ type: 'leave' }).then(() => 'came in'), error => error.code);
      return refusal === 'room-full';
    });
    for (const line of [ann, bob, late]) line.close();
  });

  await t.test('a member that was cut off comes back on another node and has missed nothing', async () => {
    const [ann, bob] = await annAndBob(a, b, 'back');
    const cleo = await member(c.ws, 'back', 'Cleo');
    await finds(cleo, 2); // so the third node knows of Bob
    for (const line of [ann, bob]) await line.hear('peer-joined');
    bob._socket.end(); // without a goodbye; his node closes its side in the moment when it has noticed
    await bob.ended;
    for (const word of ['one', 'two']) ann.say({ type: 'signal', to: bob.id, data: word });
    const again = await comesBack(c, bob);
    const heard = [...again.missed];
    while (heard.length < 2) heard.push(await again.hear('signal'));
    assert.deepEqual(heard.map(signal => signal.data), ['one', 'two']);
    again.say({ type: 'signal', to: ann.id, data: 'here' });
    assert.equal((await ann.hear('signal')).data, 'here'); // and no word of leaving before it
    for (const line of [ann, cleo, again]) line.close();
  });
});

test('a node is killed', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const [a, b, c] = await startCluster(redis, ['a.example.org', 'b.example.org', 'c.example.org']);
  t.after(a.stop);
  t.after(c.stop);
  const [ann, bob] = await annAndBob(a, b);
  const gone = await member(b.ws, 'blue', 'Gone');
  await finds(gone, 2);
  await ann.hear('peer-joined');
  await b.kill();
  // Messages on their way to a node that dies are lost with it. Redis knows at once that the node has ended.
  const channel = `turnpike:rooms:${b.name}`;
  await until('Redis to know it', async () => (await redis.command('PUBSUB', 'NUMSUB', channel)).endsWith('0'));
  ann.say({ type: 'signal', to: bob.id, data: 'are you there?' });
  ann.say({ type: 'broadcast', data: 'anybody?' });
  const again = await comesBack(c, bob);
  assert.ok(!c.log().includes(`node ${b.name} is gone`), 'before anybody is told that the node is gone');
  const heard = [...again.missed];
  while (heard.length < 2) heard.push(await again.hear());
  assert.deepEqual(heard.map(one => one.data), ['are you there?', 'anybody?']);

  // Of those who do not come back the others hear, and of nobody else. How soon, is in unit/signaling and unit/cluster.
  for (const line of [ann, again]) {
    assert.equal((await line.hear('peer-left', 40_000)).id, gone.id);
    assert.deepEqual(await line.request({ type: 'ping' }), []);
  }
  for (const line of [ann, again]) line.close();
});

test('a node that was wrongly treated as dead returns with its members', async t => {
  const { a, b } = await startTwo(t);
  t.after(() => {
    process.kill(b.pid, 'SIGCONT');
    return b.stop();
  });
  const [ann, bob] = await annAndBob(a, b);
  process.kill(b.pid, 'SIGSTOP'); // or its machine loses its network for a while
  assert.equal((await ann.hear('peer-left', 40_000)).id, bob.id);
  process.kill(b.pid, 'SIGCONT');
  assert.equal((await ann.hear('peer-joined', 20_000)).peer.id, bob.id);
  ann.say({ type: 'signal', to: bob.id, data: 'here' });
  assert.equal((await bob.hear('signal')).data, 'here');
  for (const line of [ann, bob]) line.close();
});

test('a node that was restarted learns its members again', async t => {
  const { redis, a, b } = await startTwo(t);
  const [ann, bob] = await annAndBob(a, b);
  await b.kill();
  const anew = await startNode(redis, 'b.example.org');
  t.after(anew.stop);
  await saysLater(anew, 'node a.example.org is there');
  const again = await comesBack(anew, bob);
  again.say({ type: 'signal', to: ann.id, data: 'here' });
  assert.equal((await ann.hear('signal')).data, 'here');
  for (const line of [ann, again]) line.close();
});

test('Redis fails for some time', async t => {
  const { redis, a, b } = await startTwo(t);
  t.after(b.stop);
  const [ann, bob] = await annAndBob(a, b);

  await t.test('Redis is killed: rooms still work on each node, and everything is restored later', async () => {
    const marks = [a, b].map(node => node.log().length);
    await redis.stop();
    await saysLater(a, 'cluster: Redis is away', marks[0]);
    const cleo = await member(a.ws, 'blue', 'Cleo');
    assert.equal((await ann.hear('peer-joined')).peer.id, cleo.id);
    cleo.say({ type: 'signal', to: ann.id, data: 'as before' });
    assert.equal((await ann.hear('signal')).data, 'as before');
    ann.say({ type: 'signal', to: bob.id, data: 'later' });
    await redis.start();
    assert.equal((await bob.hear('peer-joined')).peer.id, cleo.id);
    assert.equal((await bob.hear('signal')).data, 'later');
    cleo.close();
    assert.equal((await ann.hear('peer-left')).id, cleo.id);
    assert.equal((await bob.hear('peer-left')).id, cleo.id);
  });

  await t.test('Redis hangs: no member is reported as lost, and what was sent arrives', async () => {
    const marks = [a, b].map(node => node.log().length);
    redis.pause();
    await saysLater(a, 'cluster: Redis is away', marks[0]);
    await saysLater(b, 'cluster: Redis is away', marks[1]);
    const dora = await member(b.ws, 'blue', 'Dora');
    assert.equal((await bob.hear('peer-joined')).peer.id, dora.id);
    redis.resume();
    assert.equal((await ann.hear('peer-joined')).peer.id, dora.id);
    for (const line of [ann, bob]) assert.deepEqual(await line.request({ type: 'ping' }), [], 'and nothing else was said');
    dora.close();
    await ann.hear('peer-left');
    await bob.hear('peer-left');
  });

  await t.test('a script keeps Redis busy, and it refuses everything: what is said then arrives later', async () => {
    const marks = [a, b].map(node => node.log().length);
    const stranger = await redis.connect();
    await stranger.command('CONFIG', 'SET', 'lua-time-limit', '100');
    const script = stranger.command('EVAL', 'while true do end', '0');
    for (const [i, node] of [a, b].entries()) await saysLater(node, 'cluster: Redis is away (BUSY ', marks[i]);
    ann.say({ type: 'signal', to: bob.id, data: 'while it is busy' });
    assert.equal(await redis.command('SCRIPT', 'KILL'), 'OK');
    await script;
    stranger.close();
    assert.equal((await bob.hear('signal')).data, 'while it is busy');
    for (const line of [ann, bob]) assert.deepEqual(await line.request({ type: 'ping' }), [], 'and nothing else was said');
  });
  for (const line of [ann, bob]) line.close();
});

test('a node that is started anew knows its members, though it loses Redis while it reads them', async t => {
  const { redis, a, b } = await startTwo(t);
  const [ann, bob] = await annAndBob(a, b);
  await b.kill();
  const way = await startSwitch(redis, 'HSCAN');
  t.after(way.close);
  const anew = await startNode({ url: way.url }, 'b.example.org');
  t.after(anew.stop);
  await saysLater(anew, 'Redis is away');
  await saysLater(anew, 'node a.example.org is there');
  const again = await comesBack(anew, bob);
  for (const line of [ann, again]) line.close();
});

test('a node that listens to another Redis than the one that it writes to notices it', async t => {
  const { way, two } = await startTwoRedis(t);
  const nodes = await startCluster({ url: way.url }, ['a.example.org', 'b.example.org']);
  for (const node of nodes) t.after(node.stop);
  const ann = await member(nodes[0].ws, 'blue', 'Ann');
  const marks = nodes.map(node => node.log().length);
  way.switchTo(two);
  for (const [i, node] of nodes.entries())
    await saysLater(node, 'it does not pass on the messages of this node', marks[i], 30_000);
  const bob = await member(nodes[1].ws, 'blue', 'Bob');
  assert.equal((await ann.hear('peer-joined')).peer.id, bob.id);
  ann.say({ type: 'signal', to: bob.id, data: 'here' });
  let heard;
  do heard = await bob.hear(); while (heard.type !== 'signal');
  assert.equal(heard.data, 'here');
  for (const line of [ann, bob]) line.close();
});

test('others use the same Redis', async t => {
  const { redis, a, b } = await startTwo(t);
  t.after(b.stop);

  await t.test('what is not signed is ignored, and named in the log', async () => {
    for (const text of ['', 'x', '{"kind":"alive","node":"evil","run":"x","sequence":1}', 'A'.repeat(1000)])
      await redis.command('PUBLISH', 'turnpike:rooms', text);
    await saysLater(a, 'is not signed with our secret');
    // What was published later is heard later.
    const ann = await member(a.ws, 'signed', 'Ann');
    const bob = await member(b.ws, 'signed', 'Bob');
    assert.equal((await ann.hear('peer-joined')).peer.id, bob.id);
    assert.ok(!a.log().includes('evil'));
    for (const line of [ann, bob]) line.close();
  });

  await t.test('a node with another secret and the others do not know each other', async () => {
    const stranger = await startNode(redis, 'x.example.org', { secret: 'another secret altogether' });
    t.after(stranger.stop);
    await saysLater(stranger, 'is not signed with our secret');
    const ann = await member(a.ws, 'blue', 'Ann');
    const other = await member(stranger.ws, 'blue', 'Other');
    assert.deepEqual(other.joined.peers, []);
    const bob = await member(b.ws, 'blue', 'Bob');
    assert.deepEqual((await finds(bob, 1)).map(peer => peer.name), ['Ann']);
    for (const line of [ann, other, bob]) line.close();
  });

  await t.test('a cluster with another prefix is not noticed', async () => {
    const mark = a.log().length;
    const tenant = await startNode(redis, 'y.example.org', { secret: 'a tenant has its own one' , prefix: 'other' });
    t.after(tenant.stop);
    const ann = await member(a.ws, 'blue', 'Ann');
    const other = await member(tenant.ws, 'blue', 'Other');
    assert.deepEqual(other.joined.peers, []);
    // Meanwhile both have written what nodes read of each other, and it was read.
    for (const key of ['other:node:y.example.org', `turnpike:node:${a.name}`, `turnpike:node:${b.name}`]) {
      const before = await redis.command('GET', key);
      assert.notEqual(before, '', key);
      await until(`${key} to be written anew`, async () => await redis.command('GET', key) !== before);
    }
    assert.ok(!a.log().slice(mark).includes('y.example.org'));
    for (const line of [ann, other]) line.close();
  });

  await t.test('hostile names of rooms and members are treated as names', async () => {
    const room = '*?[a]\\r\\n"{}:\u2028😀';
    const ann = await member(a.ws, room, '"}; FLUSHALL');
    const bob = await member(b.ws, room, '\\');
    assert.deepEqual(await finds(bob, 1), [{ id: ann.id, name: '"}; FLUSHALL' }]);
    assert.equal((await ann.hear('peer-joined')).peer.name, '\\');
    for (const line of [ann, bob]) line.close();
  });
});
