// Tests Socket.IO's own client in a cluster: each of a course's events between members on two nodes, and a client that
// polls and comes to another node than before.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import net from 'node:net';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { startCluster, startRedis } from './support.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

const names = ['a.example.org', 'b.example.org'];
const heard = (socket, event) => within(8000, event, new Promise(resolve => {
  socket.once(event, (...values) => resolve(values));
}));

async function clusterOf(t, signaling = []) {
  const redis = await startRedis();
  t.after(redis.remove);
  const nodes = await startCluster(redis, names, { signaling });
  for (const node of nodes) t.after(node.stop);
  return nodes;
}

async function connect(t, url, options = {}) {
  const socket = io(url, { forceNew: true, ...options });
  t.after(() => socket.close());
  await heard(socket, 'connect');
  return socket;
}

for (const transports of [['websocket'], ['polling']])
  test(`each of a course's events between members on two nodes, ${transports}`, async t => {
    const nodes = await clusterOf(t, ['list_rooms: true', 'members_per_room: 2']);
    const [ann, bob] = await Promise.all(nodes.map(node => connect(t, node.url, { transports })));
    // Resolves to what the other one hears of an event of this one.
    const relayed = async (from, to, event, ...values) => {
      const hearing = heard(to, event);
      from.emit(event, ...values);
      return hearing;
    };

    const rooms = heard(bob, 'room_change');
    ann.emit('nickname', 'Ann');
    await ann.timeout(8000).emitWithAck('enter_room', 'blue');
    assert.deepEqual(await rooms, [['blue']]);
    const welcome = heard(ann, 'welcome');
    const accepted = heard(bob, 'accept_join');
    bob.emit('join_room', 'blue', 'Bob');
    assert.deepEqual(await accepted, [[{ socketId: ann.id, nickname: 'Ann' }, { socketId: bob.id, nickname: 'Bob' }]]);
    assert.deepEqual(await welcome, ['Bob', 2]);
    const late = await connect(t, nodes[1].url, { transports });
    const rejected = heard(late, 'reject_join');
    late.emit('join_room', 'blue', 'Late');
    assert.deepEqual(await rejected, []);
    late.close();

    const sdp = { type: 'offer', sdp: 'v=0' };
    assert.deepEqual(await relayed(ann, bob, 'offer', sdp, 'blue', 'Ann'), [sdp, ann.id, 'Ann']);
    assert.deepEqual(await relayed(bob, ann, 'answer', { type: 'answer' }, ann.id), [{ type: 'answer' }, bob.id]);
    assert.deepEqual(await relayed(bob, ann, 'ice', null, 'blue'), [null, bob.id]);
    assert.deepEqual(await relayed(ann, bob, 'candidate', { candidate: '' }, bob.id), [{ candidate: '' }, ann.id]);
    assert.deepEqual(await relayed(ann, bob, 'cursor', Buffer.from([1, 2, 3]), 'blue', 7), [Buffer.from([1, 2, 3]), ann.id, 7]);
    assert.deepEqual(await relayed(ann, bob, 'new_message', 'hello', 'blue'), ['Ann: hello']);
    assert.deepEqual(await relayed(bob, ann, 'chat', 'plain', 'blue'), ['plain']);

    const farewell = Promise.all(['bye', 'leave_room'].map(event => heard(bob, event)));
    const id = ann.id;
    ann.disconnect();
    assert.deepEqual(await farewell, [['Ann', 1], [id, 'Ann']]);
    const back = heard(ann, 'connect');
    ann.connect();
    await back;
    const none = new Promise(resolve => { ann.on('room_change', list => { if (list.length === 0) resolve(); }); });
    await bob.timeout(8000).emitWithAck('leave_room', 'blue');
    await within(8000, 'the list without the room', none);
  });

test('a client that polls and comes to another node begins anew there, and is in its room again', async t => {
  // The first node ends the session when no pong comes, since the client does not give up the request that waits there.
  const nodes = await clusterOf(t, ['ping_interval: 2s', 'ping_timeout: 3s']);
  const [a, b] = nodes;
  // A balancer without the cookie of the README, which sends all to one node, and then to the other.
  let target = a;
  const server = net.createServer(near => {
    const far = net.connect(target.port, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) from.on('error', () => {}).on('close', () => to.destroy()).pipe(to);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const bob = await connect(t, b.url);
  await bob.timeout(8000).emitWithAck('join_room', 'blue');
  const ann = await connect(t, `http://127.0.0.1:${server.address().port}`, { transports: ['polling'], reconnectionDelay: 50 });
  const first = ann.id;
  const join = () => ann.timeout(8000).emitWithAck('join_room', 'blue');
  const welcomed = heard(bob, 'welcome');
  await join();
  await welcomed;

  const lost = heard(ann, 'disconnect');
  const bye = heard(bob, 'bye');
  const again = heard(bob, 'welcome');
  ann.on('connect', join);
  target = b;
  ann.emit('chat', 'to the wrong node', 'blue'); // which answers that it does not know the session
  await lost;
  await bye;
  await again;
  assert.notEqual(ann.id, first);
  const hearing = heard(bob, 'chat');
  ann.emit('chat', 'here', 'blue');
  assert.deepEqual(await hearing, ['here']);
});
