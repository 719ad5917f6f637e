// Tests orders that an operator gives on one node and all nodes carry out: nodes that have not done so are
// named, whatever the reason. It also tests what nodes report when Redis refuses their commands.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { freePort } from '../browser/support/call_page.mjs';
import { atExit, temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { startTurnpike } from '../browser/support/daemon.mjs';
import { member } from '../signaling/support/client.mjs';
import { request } from '../signaling/support/http.mjs';
import { startServer } from '../signaling/support/server.mjs';
import { clusterSecret, runCtl, saysLater, startNode, startRedis, udpPort, until } from './support.mjs';

// Starts nodes, each with a socket for turnpikectl and a database. ctl(name, …) resolves to what turnpikectl
// prints, and fails(name, …) to its complaint. A node that is started again under the same name has the same
// database.
async function nodesWithControl(t, redis, names, urlOf = () => redis.url) {
  const folder = temporaryDirectory('orders');
  t.after(folder.remove);
  const ctl = (name, ...words) => runCtl(`${folder.path}/${name}.sock`, ...words);
  const fails = (name, ...words) => ctl(name, ...words).then(
    text => assert.fail(`it was done: ${text}`), error => ({ said: error.stderr, answer: error.stdout }));
  const start = name => startNode({ ...redis, url: urlOf(name) }, name, {
    waits: redis.waits,
    more: [`admin: {listen: ["unix:${folder.path}/${name}.sock", "http://127.0.0.1:0"]}`,
      `auth: {database: "sqlite:${folder.path}/${name}.db"}`],
  });
  const nodes = await Promise.all(names.map(start));
  for (const node of nodes) t.after(node.stop);
  const listed = async name => JSON.parse(await ctl(name, '--json', 'nodes')).nodes.map(node => node.name);
  for (const name of names) await until('all to be there', async () => (await listed(name)).length === names.length);
  return { folder, nodes, ctl, fails, listed, start };
}

// Keeps others from writing the database until `free` is called.
async function lock(t, database) {
  const child = spawn('python3', ['-c', `
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()`, database]);
  const kill = () => child.kill('SIGKILL');
  t.after(atExit(kill));
  t.after(kill);
  await within(10_000, 'the lock', once(child.stdout, 'data'));
  return async () => {
    child.stdin.end();
    await once(child, 'close');
  };
}

test('the answer to an order names the nodes that have not carried it out', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const names = ['a', 'b', 'c', 'd'].map(letter => `${letter}.example.org`);
  const { folder, nodes, ctl, fails, listed } = await nodesWithControl(t, redis, names);
  const [a, b, c] = names;
  const json = async (...words) => JSON.parse(await ctl(a, '--json', ...words));

  await t.test('when all nodes have carried it out, none is named', async () => {
    assert.deepEqual(await json('kill', '--user', 'ann'), { complete: true, everywhere: true, missed: [], user: 'ann' });
    const { kept, everywhere, missed } = await json('revoke', '--subject', 'ann');
    assert.deepEqual({ kept, everywhere, missed }, { kept: true, everywhere: true, missed: [] });
    await assert.rejects(ctl(a, 'kill', '--user', 'x'.repeat(513)), /the name of a user/);
  });

  await t.test('a node whose database is locked is named', async t => {
    for (const name of [a, b]) await ctl(name, 'user', 'add', 'ben', '--generate');
    const free = await lock(t, `${folder.path}/${b}.db`);
    const { said, answer } = await fails(a, 'user', 'remove', 'ben');
    await free();
    assert.match(said, /these nodes have not carried out the command: b\.example\.org \(its database is busy/);
    assert.match(answer, /user ben is removed/);
    // When the order is given again, only the other node has something to do, and it is done everywhere.
    assert.deepEqual(await json('user', 'remove', 'ben'), { name: 'ben', here: false, everywhere: true, missed: [] });
    assert.deepEqual(JSON.parse(await ctl(b, '--json', 'user', 'list')).users, []);
  });

  await t.test('when no node has the user, the answer says so', async () => {
    const { said } = await fails(a, 'user', 'remove', 'typo');
    assert.match(said, /No node has a user typo/);
  });

  await t.test('a node that hangs is named', async () => {
    process.kill(nodes[1].pid, 'SIGSTOP');
    const missed = [{ node: b, why: 'no-answer' }];
    const killed = await fails(a, '--json', 'kill', '--user', 'ann');
    const revoked = await fails(a, '--json', 'revoke', '--subject', 'cid');
    const { said } = await fails(a, 'kill', '--user', 'ann');
    process.kill(nodes[1].pid, 'SIGCONT');
    assert.deepEqual(JSON.parse(killed.answer), { complete: true, everywhere: false, missed, user: 'ann' });
    assert.deepEqual(JSON.parse(revoked.answer).missed, missed);
    assert.deepEqual(JSON.parse(revoked.answer).kept, true);
    assert.match(said, /b\.example\.org \(it does not answer\)/);
    await until('it to answer', () => ctl(a, 'kill', '--user', 'ann').then(() => true, () => false));
    // On a slow machine it was silent for so long that it has to be found anew.
    await until('all to be listed', async () => (await listed(a)).length === names.length);
  });

  await t.test('one that hangs, and not as one that is gone, though Redis goes meanwhile', async t => {
    const line = await redis.connect();
    t.after(line.close);
    await line.command('SUBSCRIBE', 'turnpike:orders');
    process.kill(nodes[1].pid, 'SIGSTOP');
    const answered = fails(a, '--json', 'kill', '--user', 'ann');
    await until('it to be said', () => line.heard.length > 0);
    await redis.stop();
    const { answer } = await answered;
    process.kill(nodes[1].pid, 'SIGCONT');
    await redis.start();
    assert.deepEqual(JSON.parse(answer).missed, [{ node: b, why: 'no-answer' }]);
    await until('it to answer', () => ctl(a, 'kill', '--user', 'ann').then(() => true, () => false));
    // On a slow machine it was silent for so long that it has to be found anew.
    await until('all to be listed', async () => (await listed(a)).length === names.length);
  });

  await t.test('one that has come a moment ago', async t => {
    for (let i = 0; i < 3; ++i) {
      const name = `new-${i}.example.org`;
      const node = await startNode(redis, name);
      t.after(() => node.kill().catch(() => {}));
      // It stands in Redis, and the others read that every half second.
      await until('it to stand in Redis', async () => await redis.command('EXISTS', `turnpike:node:${name}`) === '1');
      process.kill(node.pid, 'SIGSTOP');
      const { answer } = await fails(a, '--json', 'kill', '--user', 'ann');
      assert.deepEqual(JSON.parse(answer).missed, [{ node: name, why: 'no-answer' }]);
      process.kill(node.pid, 'SIGCONT');
      await node.stop();
      await until('it to be gone', async () => !(await listed(a)).includes(name));
    }
  });

  await t.test('a node that was stopped is not named, and one that was killed is', async () => {
    await nodes[3].stop();
    await nodes[2].kill();
    await until('both to be gone', async () => (await listed(a)).length === 2);
    const { answer, said } = await fails(a, '--json', 'kill', '--user', 'ann');
    assert.deepEqual(JSON.parse(answer).missed, [{ node: c, why: 'gone' }], said);
  });

  await t.test('a node ends in time even when Redis hangs', async () => {
    const mark = nodes[0].log().length;
    redis.pause();
    assert.equal(await nodes[1].stop(), 0);
    const log = nodes[0].log().slice(mark);
    redis.resume();
    assert.ok(!log.includes('cluster: Redis is away'), 'it was sooner than the other node has given Redis up');
  });
});

test('a name that two servers have is named, since one of them answers for both', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const [a, b] = ['a.example.org', 'b.example.org'];
  const { ctl, fails } = await nodesWithControl(t, redis, [a, b]);
  const namesake = await startNode(redis, b);
  t.after(namesake.stop);
  const missed = () => ctl(a, '--json', 'kill', '--user', 'ann').catch(error => error.stdout).then(text => JSON.parse(text).missed);
  await until('it to be noticed', async () => (await missed()).some(one => one.node === b && one.why === 'same-name'));
  // Nor does the other one of the name heed what this one says.
  await until('it to notice that itself', () => fails(b, 'kill', '--user', 'ann').then(
    ({ said }) => /b\.example\.org \(two servers have this name/.test(said), () => false));
});

test('a node carries out later what it could not receive at that time', async t => {
  const port = await freePort('tcp');
  const redis = await startRedis({ port });
  t.after(redis.remove);
  const names = ['a.example.org', 'b.example.org'];
  const [a, b] = names;
  for (const name of names) await redis.command('ACL', 'SETUSER', name, 'on', '>a-password', '~*', '&*', '+@all');
  const { nodes, ctl, fails, start } =
    await nodesWithControl(t, redis, names, name => `redis://${name}:a-password@127.0.0.1:${port}/0`);
  const users = async name => JSON.parse(await ctl(name, '--json', 'user', 'list')).users.map(user => user.name);
  const allocations = async name => JSON.parse(await ctl(name, '--json', 'allocations')).allocations.length;

  await ctl(b, 'user', 'add', 'ann', '--generate');
  const { iceServers } = JSON.parse((await request(nodes[1].url, '/ice-servers')).body);
  const { username, credential } = iceServers.find(entry => entry.credential);
  const client = spawn('turnutils_uclient', ['-L', '127.0.0.1', '-y', '-c', '-n', '100000', '-u', username, '-w', credential,
    '-p', String(udpPort(nodes[1])), '127.0.0.1'], { stdio: 'ignore' });
  t.after(atExit(() => client.kill('SIGKILL')));
  t.after(() => client.kill('SIGKILL'));
  await until('the client to relay', async () => await allocations(b) > 0);
  // Redis has forgotten one of the two nodes, which continues to relay.
  await redis.command('ACL', 'SETUSER', b, 'off');
  await redis.command('CLIENT', 'KILL', 'USER', b);
  await saysLater(nodes[1], 'cluster: Redis is away');
  const orders = [['kill', '--user', username.slice(username.indexOf(':') + 1)], ['user', 'remove', 'ann']];
  for (const order of orders) assert.match((await fails(a, ...order)).said, /b\.example\.org \(it does not/);
  assert.ok(await allocations(b) > 0);
  assert.deepEqual(await users(b), ['ann']);
  await redis.command('ACL', 'SETUSER', b, 'on');
  await until('it to be done', async () => await allocations(b) === 0 && (await users(b)).length === 0);

  // A user who was added after the order stays, even when a node reads the order again.
  await ctl(b, 'user', 'add', 'ann', '--generate');
  await nodes[1].stop();
  t.after((await start(b)).stop);
  await until('both to hear each other', () => ctl(a, 'kill', '--user', 'nobody').then(() => true, () => false));
  assert.deepEqual(await users(b), ['ann']);
});

test('a node that loses its subscription while it reads the orders of the last day reads them again', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const names = ['a.example.org', 'b.example.org'];
  const [a, b] = names;

  // The connections of b to Redis. When b is `armed` and reads the orders, its subscription ends, the answer
  // waits until b has noticed that, and b cannot subscribe again before all may `pass`.
  let phase = 'pass';
  let noticed;
  const ways = new Set();
  const server = net.createServer(near => {
    const far = net.connect(redis.url.slice('unix:'.length));
    const way = { near, hears: false, requests: null, answers: null };
    way.passRequests = () => { for (const data of way.requests?.splice(0) ?? []) far.write(data); way.requests = null; };
    way.passAnswers = () => { for (const data of way.answers?.splice(0) ?? []) near.write(data); way.answers = null; };
    ways.add(way);
    if (phase === 'lost') {
      phase = 'away';
      for (const one of ways) one.passAnswers();
      noticed();
    }
    near.on('data', data => {
      const isAboutOrders = data.includes('turnpike:orders');
      const subscribes = isAboutOrders && data.includes('SUBSCRIBE');
      way.hears ||= subscribes;
      if (subscribes && phase === 'away') way.requests = [];
      if (way.requests) return way.requests.push(data);
      if (phase === 'armed' && isAboutOrders && data.includes('ZREVRANGE')) {
        phase = 'lost';
        way.answers = [];
        loseSubscription();
      }
      far.write(data);
    });
    far.on('data', data => { if (way.answers) way.answers.push(data); else near.write(data); });
    for (const [from, to] of [[near, far], [far, near]])
      from.on('error', () => {}).on('close', () => { to.destroy(); ways.delete(way); });
  });
  const loseSubscription = () => { for (const way of ways) if (way.hears) way.near.destroy(); };
  await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => {
    for (const way of ways) way.near.destroy();
    server.close();
  });
  const { ctl, fails } = await nodesWithControl(t, redis, names,
    name => name === b ? `redis://127.0.0.1:${server.address().port}/0` : redis.url);
  const users = async () => JSON.parse(await ctl(b, '--json', 'user', 'list')).users.map(user => user.name);
  await ctl(b, 'user', 'add', 'ann', '--generate');
  await until('both to hear each other', () => ctl(a, 'kill', '--user', 'nobody').then(() => true, () => false));

  phase = 'armed';
  loseSubscription();
  await within(20_000, 'b to lose its subscription', new Promise(resolve => { noticed = resolve; }));
  assert.match((await fails(a, 'user', 'remove', 'ann')).said, /b\.example\.org \(it does not/);
  assert.deepEqual(await users(), ['ann']);
  phase = 'pass';
  for (const way of ways) way.passRequests();
  await until('it to be done', async () => (await users()).length === 0);
});

test('Redis lets nodes do everything but use channels', async t => {
  const port = await freePort('tcp');
  const redis = await startRedis({ port });
  t.after(redis.remove);
  // Every user of Redis 7 is like this, unless channels are allowed.
  await redis.command('ACL', 'SETUSER', 'node', 'on', '>a-password', '~turnpike:*', 'resetchannels', '+@all');
  const names = ['a.example.org', 'b.example.org'];
  const url = `redis://node:a-password@127.0.0.1:${port}/0`;
  const { nodes, ctl, fails } = await nodesWithControl(t, { ...redis, url, waits: false }, names);
  const [a] = nodes;
  const metric = async name => Number((await (await fetch(`http://127.0.0.1:${a.adminPort}/metrics`)).text())
    .match(new RegExp(`^turnpike_${name} (.*)$`, 'm'))[1]);
  await saysLater(a, 'Redis refuses a command: NOPERM');
  const missed = [{ node: names[1], why: 'no-redis' }];
  const killed = await fails(names[0], '--json', 'kill', '--user', 'ann');
  assert.deepEqual(JSON.parse(killed.answer), { complete: true, everywhere: false, missed, user: 'ann' });
  const revoked = JSON.parse((await fails(names[0], '--json', 'revoke', '--subject', 'ben')).answer);
  assert.deepEqual([revoked.everywhere, revoked.missed], [false, missed]);
  assert.match((await fails(names[0], 'kill', '--user', 'ann')).said, /the other nodes cannot be reached/);
  assert.deepEqual([await metric('cluster_connected'), await metric('cluster_nodes')], [0, 2]);
  // That is Redis's refusal; no node has refused what somebody else has written.
  assert.equal(await metric('cluster_records_refused_total'), 0);

  await redis.command('ACL', 'SETUSER', 'node', 'allchannels');
  await until('the nodes to hear each other', () => ctl(names[0], 'kill', '--user', 'ann').then(() => true, () => false));
  // And their members.
  for (const node of nodes) await saysLater(node, 'cluster: Redis is there');
  const ann = await member(nodes[0].ws, 'blue', 'Ann');
  const bob = await member(nodes[1].ws, 'blue', 'Bob');
  if (bob.joined.peers.length === 0) await bob.hear('peer-joined');
  ann.close();
  assert.equal((await bob.hear('peer-left')).id, ann.id);
  bob.close();
});

test('a server that only relays writes to the log why it cannot use Redis', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  await redis.command('CONFIG', 'SET', 'requirepass', 'a-password');
  const start = async url => {
    const node = await startTurnpike(`listen: ["udp://127.0.0.1:0"]\ncluster: {redis: "${url}", secret: ${clusterSecret}, node: a.example.org}\n`);
    t.after(node.stop);
    return node;
  };
  const [refused, closed] = await Promise.all([start(redis.url), start(`redis://127.0.0.1:${await freePort('tcp')}/0`)]);
  await saysLater(refused, 'cluster: Redis cannot be reached: NOAUTH');
  await saysLater(closed, 'cluster: Redis cannot be reached: Connection refused');
});

test('a reply of Redis stays within its line of the log', async t => {
  const server = net.createServer(socket => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write('-ERR no\x1f,"event":"forged"\x1b[31m\r\n'));
  });
  const port = await new Promise(resolve => { server.listen(0, '127.0.0.1', () => resolve(server.address().port)); });
  t.after(() => server.close());
  const node = await startNode({ url: `redis://127.0.0.1:${port}/0` }, 'a.example.org', { waits: false });
  t.after(node.stop);
  await saysLater(node, 'cluster: Redis cannot be reached: ERR no\\u{1f},"event":"forged"\\u{1b}[31m');
});

test('a record that somebody writes again does not hide its node', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const names = ['a.example.org', 'b.example.org'];
  const { nodes, listed } = await nodesWithControl(t, redis, names);
  const key = `turnpike:node:${names[0]}`;
  const old = await redis.command('GET', key);
  // The other node reads every half second, so when this one has written twice, the first of them was read.
  for (let i = 0, last = old; i < 2; ++i) {
    await until('the node to write anew', async () => await redis.command('GET', key) !== last);
    last = await redis.command('GET', key);
  }
  // The node writes its present record again as soon as it sees the old one, so the other node may not always
  // see it.
  await until('the other node to say so', async () => {
    await redis.command('SET', key, old);
    return nodes[1].log().includes(`an old record of node ${names[0]} was written again`);
  });
  assert.deepEqual(await listed(names[1]), [names[1], names[0]]);
});

test('while the secret is being changed, a guest has one name on all nodes', async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const start = async (name, secrets) => {
    const node = await startServer({ more: [`cluster: {redis: "${redis.url}", secret: [${secrets}], node: ${name}.example.org}`] });
    t.after(node.stop);
    return node;
  };
  const [old, next] = ['the secret of last year', 'the secret of this year'];
  const a = await start('a', [old, next]);
  const b = await start('b', [next, old]);
  const nameAt = async node => {
    const { iceServers } = JSON.parse((await request(node.url, '/ice-servers', { localAddress: '127.0.0.2' })).body);
    return iceServers.find(entry => entry.credential).username.replace(/^\d+:/, '');
  };
  await until('both to give the same name', async () => await nameAt(a) === await nameAt(b));
  const names = new Set();
  for (let i = 0; i < 20; ++i) for (const node of [a, b]) names.add(await nameAt(node));
  assert.equal(names.size, 1);
});
