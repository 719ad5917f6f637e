// Tests what others can do who can write to the same Redis, and a Redis that is full, empty or missing: old
// messages of nodes are sent again, keys have values of another kind or of any length, and replies are not
// valid.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { connect, member } from '../signaling/support/client.mjs';
import { membersAt, resident, runCtl, saysLater, startNode, startRedis, until } from './support.mjs';

const [nameA, nameB, nameC] = ['a', 'b', 'c'].map(letter => `${letter}.example.org`);

async function agree(nodes, room, names) {
  let seen;
  await until('agreement', async () => {
    seen = await Promise.all(nodes.map(node => membersAt(node, room)));
    return seen.every(one => one.join() === [...names].sort().join());
  }, 30_000).catch(() => {
    throw new Error(`not ${names}: ${nodes.map((node, i) => `${node.name} says ${seen[i]}\n${node.log()}`).join('\n')}`);
  });
}

// Resolves to the next message of this kind. Visitors may join and leave meanwhile.
async function hears(line, type) {
  for (;;) {
    const message = await line.hear();
    if (message.type === type) return message;
  }
}

const unlimited = { signaling: ['credentials_per_second: 1000000'] }; // for all the visitors

// Until `node` has taken one for gone that fell silent after this was called, as it would take any other. Meanwhile it
// calls `look` again and again.
async function untilOneIsTakenForGone(t, redis, node, options, look = () => {}) {
  const name = 'brief.example.org';
  const mark = node.log().length;
  const brief = await startNode(redis, name, options);
  t.after(brief.stop);
  await saysLater(node, `node ${name} is there`, mark);
  await brief.kill();
  await until(`${node.name} to say that ${name} is gone`, async () => {
    await look();
    return node.log().slice(mark).includes(`node ${name} is gone`);
  }, 60_000);
}

// `more` are lines of the configuration, in which NAME is the node's.
async function clusterOf(t, names, { more = [] } = {}) {
  const redis = await startRedis();
  t.after(redis.remove);
  const nodes = await Promise.all(names.map(name =>
    startNode(redis, name, { ...unlimited, more: more.map(line => line.replace('NAME', name)) })));
  for (const node of nodes)
    for (const other of names) if (other !== node.name) await saysLater(node, `cluster: node ${other} is there`);
  for (const node of nodes) t.after(() => node.stop());
  const stranger = await redis.connect();
  t.after(stranger.close);
  return { redis, nodes, stranger };
}

test('messages that somebody repeats are ignored', async t => {
  const { redis, nodes: [a, b], stranger } = await clusterOf(t, [nameA, nameB]);
  const recorder = await redis.connect();
  t.after(recorder.close);
  await recorder.command('SUBSCRIBE', 'turnpike:rooms');
  await recorder.command('SUBSCRIBE', `turnpike:rooms:${nameB}`);
  const ann = await member(a.ws, 'blue', 'Ann');
  const bob = await member(b.ws, 'blue', 'Bob');
  const gone = [];
  bob.on('message', data => { if (JSON.parse(data).type === 'peer-left') gone.push(JSON.parse(data).id); });
  await agree([a, b], 'blue', ['Ann', 'Bob']);
  ann.say({ type: 'signal', to: bob.id, data: 'once' });
  assert.equal((await hears(bob, 'signal')).data, 'once');
  const sayAgain = async () => {
    for (const { channel, payload } of [...recorder.heard]) await stranger.command('PUBLISH', channel, payload);
  };
  const has = kind => recorder.heard.some(({ payload }) => payload.includes(`"kind":"${kind}"`));
  await until('the recorder to hear both', () => has('said') && has('changes'));

  await t.test('a message is repeated to a node that has received it', async () => {
    const mark = b.log().length;
    await sayAgain();
    await saysLater(b, `an old message of node ${nameA} was sent again`, mark);
    ann.say({ type: 'signal', to: bob.id, data: 'twice' });
    assert.equal((await hears(bob, 'signal')).data, 'twice');
  });

  await t.test('messages of a node are repeated after the node was restarted', async () => {
    await a.kill();
    const anew = await startNode(redis, nameA, unlimited);
    t.after(anew.stop);
    await saysLater(b, `node ${nameA} has restarted`);
    const mark = b.log().length;
    const again = await connect(anew.ws);
    await again.request({ type: 'resume', resume: ann.joined.resume });
    await sayAgain();
    again.say({ type: 'signal', to: bob.id, data: 'here' });
    assert.equal((await hears(bob, 'signal')).data, 'here');
    assert.ok(!b.log().slice(mark).includes('has restarted'));
    await untilOneIsTakenForGone(t, redis, b, unlimited);
    again.say({ type: 'signal', to: bob.id, data: 'still here' });
    assert.equal((await hears(bob, 'signal')).data, 'still here');
    assert.ok(!gone.includes(ann.id));
    again.close();
  });

  await t.test('the messages that are kept for a member contain forged ones', async () => {
    const key = `turnpike:missed:${bob.id}`;
    const old = '0'.repeat(24) + '{"node":"a","number":1,"event":{}}';
    await stranger.command('RPUSH', key, old, Buffer.from([0, 255, 254]), '');
    const last = await startNode(redis, nameC, unlimited);
    t.after(last.stop);
    await saysLater(last, `node ${nameB} is there`);
    await agree([b, last], 'blue', ['Bob']);
    await b.kill();
    const mark = last.log().length;
    const line = await connect(last.ws);
    await line.request({ type: 'resume', resume: bob.joined.resume });
    line.close();
    await saysLater(last, `the text at ${key}`, mark);
    assert.equal(await redis.command('EXISTS', key), '0');
  });
  bob.close();
});

test('values in Redis of a wrong type, of any length, and with any octets', { timeout: 240_000 }, async t => {
  const { redis, nodes: [a, b], stranger } = await clusterOf(t, [nameA, nameB]);
  const ann = await member(a.ws, 'blue', 'Ann');
  const bob = await member(b.ws, 'blue', 'Bob');
  await agree([a, b], 'blue', ['Ann', 'Bob']);
  const before = [a, b].map(node => resident(node.pid));
  const strange = Buffer.from([0, 255, 0xc3, 0x28, 0xed, 0xa0, 0x80, 13, 10]);

  await t.test('keys of a wrong type are written again', async () => {
    for (const key of [`turnpike:members:${nameA}`, 'turnpike:nodes', `turnpike:node:${nameA}`]) {
      await stranger.command('DEL', key);
      if (key.endsWith(':nodes')) await stranger.command('SET', key, strange);
      else await stranger.command('RPUSH', key, strange);
    }
    const cleo = await member(a.ws, 'blue', 'Cleo');
    await agree([a, b], 'blue', ['Ann', 'Bob', 'Cleo']);
    await until('all of them to be right', async () => (await redis.command('TYPE', `turnpike:members:${nameA}`)) === 'hash' &&
      (await redis.command('TYPE', 'turnpike:nodes')) === 'set' && (await redis.command('TYPE', `turnpike:node:${nameA}`)) === 'string');
    const late = await startNode(redis, nameC, unlimited);
    t.after(late.stop);
    await agree([a, b, late], 'blue', ['Ann', 'Bob', 'Cleo']);
    cleo.close();
    await agree([a, b, late], 'blue', ['Ann', 'Bob']);
    await late.stop();
  });

  await t.test('when somebody changes some of the members, all are written again', async () => {
    const key = `turnpike:members:${nameA}`;
    const right = () => redis.command('HGET', key, ann.id);
    const count = await redis.command('HLEN', key);
    const changes = {
      'a member is deleted': () => stranger.command('HDEL', key, ann.id),
      'garbage in place of a member': () => stranger.command('HSET', key, ann.id, 'garbage'),
      'garbage beside them': () => stranger.command('HSET', key, 'x', 'garbage'),
      'the whole is garbage': () => stranger.command('HSET', key, 'whole', 'garbage'),
      'no state': () => stranger.command('HDEL', key, 'state'),
    };
    for (const [what, change] of Object.entries(changes)) {
      const whole = await redis.command('HGET', key, 'whole');
      await change();
      await until(what, async () => {
        const now = await redis.command('HGET', key, 'whole');
        return now !== whole && now.includes(':') && (await redis.command('HLEN', key)) === count && (await right()).includes(ann.id);
      });
    }
    const late = await startNode(redis, nameC, unlimited);
    t.after(late.stop);
    await agree([a, b, late], 'blue', ['Ann', 'Bob']);
    await late.stop();
  });

  await t.test('lists that are too long are cut or deleted', async () => {
    const long = Buffer.alloc(80 << 20, 'x');
    await stranger.command('SET', 'turnpike:node:evil.example.org', long);
    await stranger.command('SADD', 'turnpike:nodes', 'evil.example.org', strange, '', 'x'.repeat(100_000), 'evil.example.org:x');
    for (let i = 0; i < 1500; ++i) stranger.command('SADD', 'turnpike:nodes', `${i} is no host`);
    await stranger.command('HSET', `turnpike:members:${nameA}`, strange, strange, '', '', 'state ', 'x', 'x'.repeat(1000), long);
    const key = `turnpike:missed:${bob.id}`;
    await stranger.command('RPUSH', key, long);
    await stranger.command('PUBLISH', 'turnpike:rooms', Buffer.alloc(1 << 20, 'y'));
    await stranger.command('PUBLISH', 'turnpike:orders', strange);
    await stranger.command('PUBLISH', `turnpike:rooms:${nameA}`, strange);
    const late = await startNode(redis, nameC, unlimited);
    t.after(late.stop);
    await agree([a, b, late], 'blue', ['Ann', 'Bob']);
    await b.kill();
    const again = await connect(late.ws);
    await again.request({ type: 'resume', resume: bob.joined.resume });
    await until('the long list to be gone', async () => (await redis.command('EXISTS', key)) === '0');
    again.say({ type: 'signal', to: ann.id, data: 'here' });
    assert.equal((await hears(ann, 'signal')).data, 'here');
    await stranger.command('DEL', 'turnpike:node:evil.example.org');
    const grown = resident(a.pid) - before[0];
    t.diagnostic(`resident memory of a grew by ${grown} kB`);
    again.close();
  });
  ann.close();
});

test('Redis is full, is emptied, becomes read-only, and closes connections', { timeout: 240_000 }, async t => {
  const { redis, nodes, stranger } = await clusterOf(t, [nameA, nameB]);
  const [a, b] = nodes;
  const ann = await member(a.ws, 'blue', 'Ann');
  const bob = await member(b.ws, 'blue', 'Bob');
  await agree(nodes, 'blue', ['Ann', 'Bob']);
  const works = async () => {
    ann.say({ type: 'signal', to: bob.id, data: 'x' });
    await hears(bob, 'signal');
  };

  await t.test('Redis is full: members of all nodes still meet, and everything is written later', async () => {
    await stranger.command('CONFIG', 'SET', 'maxmemory', '1');
    const cleo = await member(a.ws, 'blue', 'Cleo');
    await agree(nodes, 'blue', ['Ann', 'Bob', 'Cleo']);
    await works();
    await saysLater(a, 'Redis refuses a command: OOM');
    const dora = await member(b.ws, 'blue', 'Dora');
    await agree(nodes, 'blue', ['Ann', 'Bob', 'Cleo', 'Dora']);
    cleo.close();
    await agree(nodes, 'blue', ['Ann', 'Bob', 'Dora']);
    await stranger.command('CONFIG', 'SET', 'maxmemory', '0');
    const late = await startNode(redis, nameC, unlimited);
    t.after(late.stop);
    await agree([...nodes, late], 'blue', ['Ann', 'Bob', 'Dora']);
    dora.close();
    await agree([...nodes, late], 'blue', ['Ann', 'Bob']);
    await late.stop();
  });

  await t.test('Redis is emptied', async () => {
    await stranger.command('FLUSHALL');
    await works();
    const late = await startNode(redis, nameC, unlimited);
    t.after(late.stop);
    await agree([...nodes, late], 'blue', ['Ann', 'Bob']);
    await late.stop();
  });

  await t.test('Redis closes connections again and again', async () => {
    const mark = a.log().length;
    for (let i = 0; i < 20; ++i) {
      for (const type of ['normal', 'pubsub']) await stranger.command('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      await new Promise(resolve => { setTimeout(resolve, 100); });
    }
    await agree(nodes, 'blue', ['Ann', 'Bob']);
    await works();
    const lines = a.log().slice(mark).split('\n').filter(line => line.includes('Redis is')).length;
    assert.ok(lines <= 24, `${lines} lines`);
  });

  await t.test('Redis is a replica for a time: members of one node still meet', async () => {
    const marks = nodes.map(node => node.log().length);
    await stranger.command('REPLICAOF', '127.0.0.1', '1');
    for (const [i, node] of nodes.entries()) await saysLater(node, 'Redis is away (READONLY', marks[i]);
    await stranger.command('REPLICAOF', 'NO', 'ONE');
    const cleo = await member(a.ws, 'blue', 'Cleo');
    await agree(nodes, 'blue', ['Ann', 'Bob', 'Cleo']);
    await works();
    cleo.close();
  });
  for (const line of [ann, bob]) line.close();
});

test('neither a server with the same name and another secret nor false names hide a node', { timeout: 120_000 }, async t => {
  const folder = temporaryDirectory('impostors');
  t.after(folder.remove);
  const { redis, nodes: [, b], stranger } = await clusterOf(t, [nameA, nameB], {
    more: [`admin: {listen: "unix:${folder.path}/NAME.sock"}`],
  });
  const known = async node => JSON.parse(await runCtl(`${folder.path}/${node.name}.sock`, '--json', 'nodes')).nodes.map(one => one.name).sort();
  const stay = what => untilOneIsTakenForGone(t, redis, b, unlimited, async () => {
    assert.deepEqual((await known(b)).filter(name => name !== 'brief.example.org'), [nameA, nameB], what);
  });
  await until('b to know both', async () => (await known(b)).length === 2);

  await t.test('names of nodes that do not exist', async () => {
    const names = Array.from({ length: 4000 }, (_, i) => `n${i}.evil.example`);
    for (let i = 0; i < names.length; i += 500) {
      await stranger.command('SADD', 'turnpike:nodes', ...names.slice(i, i + 500));
      await stranger.command('MSET', ...names.slice(i, i + 500).flatMap(name => [`turnpike:node:${name}`, 'garbage']));
    }
    await stay('beside names of nobody');
    await until('the false names to go', async () => Number(await redis.command('SCARD', 'turnpike:nodes')) <= 2);
  });

  await t.test('a server with the same name and another secret', async () => {
    const impostor = await startNode(redis, nameA, { secret: 'another secret altogether', waits: false });
    t.after(impostor.stop);
    await saysLater(impostor, 'is not signed with our secret');
    await stay('beside a server of the same name');
    await impostor.stop();
  });
});

test('of two servers with one node name the later one is the node, and both log this', { timeout: 120_000 }, async t => {
  const folder = temporaryDirectory('namesakes');
  t.after(folder.remove);
  const redis = await startRedis();
  t.after(redis.remove);
  const more = name => ({ ...unlimited, more: [`admin: {listen: "unix:${folder.path}/${name}.sock"}`] });
  const first = await startNode(redis, nameA, more('first'));
  const other = await startNode(redis, nameB, more('other'));
  const second = await startNode(redis, nameA, more('second'));
  for (const node of [first, other, second]) t.after(node.stop);
  await saysLater(first, `another server is node ${nameA} too, and was started later`);
  for (const node of [first, second]) await saysLater(node, `another server is node ${nameA} too: each server needs`);
  const states = async name => (await runCtl(`${folder.path}/${name}.sock`, 'nodes')).match(/a\.example\.org.*/)[0];
  for (const name of ['first', 'other', 'second'])
    await until(`turnpikectl nodes on ${name}`, async () => (await states(name)).includes('name used twice'));

  const ann = await member(second.ws, 'blue', 'Ann');
  const alone = await member(first.ws, 'blue', 'Alone');
  assert.deepEqual(alone.joined.peers, []);
  await agree([second, other], 'blue', ['Ann']);
  const recorder = await redis.connect();
  t.after(recorder.close);
  await recorder.command('SUBSCRIBE', 'turnpike:rooms');
  const mark = other.log().length;
  const runs = () => recorder.heard.map(({ payload }) => String(payload)).filter(text => text.includes(`"node":"${nameA}"`))
    .map(text => /"run":"([^"]+)"/.exec(text)[1]);
  await until('three more words of that node', () => runs().length >= 3, 40_000);
  assert.equal(new Set(runs()).size, 1, 'the first one has stepped aside');
  await agree([second, other], 'blue', ['Ann']);
  assert.equal((other.log().slice(mark).match(/anew/g) ?? []).length, 0);
  for (const line of [ann, alone]) line.close();
});

test('a Redis that sends wrong replies', { timeout: 240_000 }, async t => {
  const lies = {
    'nothing at all': () => '',
    'its name': () => '+OK\r\n',
    'a number': () => ':7\r\n',
    'nil': () => '$-1\r\n',
    'an empty list': () => '*0\r\n',
    'errors': () => '-ERR no\r\n',
    'a list of lists': () => '*2\r\n*2\r\n*0\r\n:1\r\n*1\r\n*1\r\n$-1\r\n',
    'a map, and other kinds of RESP3': () => '%1\r\n+a\r\n+b\r\n~1\r\n:1\r\n#t\r\n,1.5\r\n>2\r\n+message\r\n+x\r\n',
    'no protocol': () => 'HTTP/1.1 400 Bad Request\r\n\r\n',
    'a message that nobody asked for': () => '*3\r\n$7\r\nmessage\r\n$14\r\nturnpike:rooms\r\n$1\r\nx\r\n',
    'a list that goes on': () => `*1048576\r\n${'$-1\r\n'.repeat(100_000)}`,
    'a list of lists that goes on': () => '*200000\r\n'.repeat(9),
    'a string that goes on': () => `$2000000000\r\n${'x'.repeat(1 << 20)}`,
    'a line that goes on': () => `+${'x'.repeat(1 << 20)}`,
    'a cursor without end': words => ({ HGET: '$1\r\nx\r\n', EXEC: '*2\r\n$1\r\nx\r\n*2\r\n$1\r\n1\r\n*0\r\n', HSCAN: '*2\r\n$1\r\n1\r\n*0\r\n' })[words] ?? '+PONG\r\n',
  };
  // Each connection gets one of these replies. Half of the connections first get a valid answer to their
  // greeting.
  const told = Object.keys(lies).flatMap(name => [{ name }, { name, isPolite: true }]).map(lie => ({ ...lie, count: 0 }));
  let next = 0;
  const server = net.createServer(socket => {
    const lie = told[next++ % told.length];
    const write = text => { if (socket.writableLength < 8 << 20) socket.write(text, 'latin1'); };
    socket.on('error', () => {});
    socket.on('data', data => {
      for (const [, command] of data.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n([A-Z]+)\r\n/g)) {
        const isGreeting = lie.isPolite && lie.count === 0 && (command === 'PING' || command === 'UNLINK');
        write(!isGreeting ? lies[lie.name](command) : command === 'PING' ? '+PONG\r\n' : ':0\r\n');
        if (!isGreeting && ++lie.count === 1) setTimeout(() => socket.destroy(), 2000); // it may be content with this one
      }
    });
    // An endless reply continues while it is read.
    const goOn = setInterval(() => { if (lie.count > 0 && lie.name.endsWith('goes on')) write('$-1\r\n'.repeat(50_000)); }, 5);
    socket.on('close', () => clearInterval(goOn));
  });
  const port = await new Promise(resolve => { server.listen(0, '127.0.0.1', () => resolve(server.address().port)); });
  t.after(() => server.close());
  // The pauses between attempts grow, so there are several nodes. What one of them shows holds for each.
  const nodes = await Promise.all([nameA, nameB, nameC].map(name =>
    startNode({ url: `redis://127.0.0.1:${port}/0` }, name, { waits: false })));
  for (const one of nodes) t.after(() => one.stop());
  const [node] = nodes;
  const ann = await member(node.ws, 'blue', 'Ann');
  const bob = await member(node.ws, 'blue', 'Bob');
  await hears(ann, 'peer-joined');
  const before = nodes.map(one => resident(one.pid));
  const times = [];
  let most = 0;
  await until('all lies to be told', async () => {
    const begun = performance.now();
    ann.say({ type: 'signal', to: bob.id, data: begun });
    assert.equal((await bob.hear('signal')).data, begun);
    times.push(performance.now() - begun);
    most = Math.max(most, ...nodes.map((one, i) => resident(one.pid) - before[i]));
    return told.every(lie => lie.count > 0);
  }, 120_000).catch(error => { throw new Error(`${error.message}: ${JSON.stringify(told.filter(lie => lie.count === 0))}`); });
  times.sort((x, y) => x - y);
  t.diagnostic(`${next} connections; of ${times.length} signals the longest took ${times.at(-1).toFixed(0)} ms, the median ${times[times.length >> 1].toFixed(1)} ms; memory +${most} kB at most`);
  // AddressSanitizer keeps freed memory.
  const isSanitized = nodes.some(one => readFileSync(`/proc/${one.pid}/maps`, 'utf8').includes('libasan'));
  if (!isSanitized) assert.ok(most < 250 << 10, `${most} kB`);
  for (const line of [ann, bob]) line.close();
  for (const one of nodes) {
    const lines = one.log().split('\n').length;
    assert.ok(lines < 200, `${lines} lines in the log`);
    assert.equal(await within(10_000, 'the end', one.stop()), 0);
  }
});
