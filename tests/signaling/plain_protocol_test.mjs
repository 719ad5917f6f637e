// Tests the plain protocol of /ws against the real daemon: what members send each other, who is told of whom,
// and what happens to clients that break the rules.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { within } from '../browser/support/cleanup.mjs';
import { connect, member } from './support/client.mjs';
import { inSeconds, secret, startServer, token } from './support/server.mjs';

const refused = code => error => error.code === code;

test('the plain protocol', async t => {
  const server = await startServer();
  t.after(server.stop);

  await t.test('members meet, send each other unchanged messages, and leave', async () => {
    const ann = await member(server.ws, 'blue', 'Ann');
    assert.deepEqual(ann.joined.peers, []);
    const bob = await member(server.ws, 'blue', 'Bob');
    assert.deepEqual(bob.joined.peers, [{ id: ann.id, name: 'Ann' }]);
    assert.deepEqual((await ann.hear('peer-joined')).peer, { id: bob.id, name: 'Bob' });

    bob.say(`{"type":"signal","to":"${ann.id}","data":{"n": 1.0, "big":12345678901234567890, "s":"\\u0041 }"}}`);
    assert.equal(await ann.hearText(),
      `{"type":"signal","from":"${bob.id}","data":{"n": 1.0, "big":12345678901234567890, "s":"\\u0041 }"}}`);
    const cleo = await member(server.ws, 'blue', 'Cleo');
    await ann.hear('peer-joined');
    await bob.hear('peer-joined');
    await ann.request({ type: 'broadcast', data: [null] });
    assert.deepEqual(await bob.hear(), { type: 'broadcast', from: ann.id, data: [null] });
    assert.deepEqual(await cleo.hear(), { type: 'broadcast', from: ann.id, data: [null] });

    await bob.request({ type: 'leave' });
    assert.deepEqual(await ann.hear(), { type: 'peer-left', id: bob.id, reason: 'left' });
    await cleo.hear('peer-left');
    for (const line of [ann, bob]) assert.deepEqual(await line.request({ type: 'ping' }), [], 'and nothing else was said');
    const [again] = await bob.request({ type: 'join', room: 'green' });
    assert.notEqual(again.self, bob.id);
    for (const client of [ann, bob, cleo]) client.close();
  });

  await t.test('a member that closes has left at once, one that is cut off after a time', async () => {
    const ann = await member(server.ws, 'partings', 'Ann');
    const [bob, cleo] = [await member(server.ws, 'partings', 'Bob'), await member(server.ws, 'partings', 'Cleo')];
    for (let i = 0; i < 2; ++i) await ann.hear('peer-joined');
    const cut = Date.now();
    cleo.terminate();
    await cleo.ended;
    bob.close(1000); // later than the other, and told first
    assert.deepEqual(await ann.hear(), { type: 'peer-left', id: bob.id, reason: 'left' });
    assert.deepEqual(await ann.hear(), { type: 'peer-left', id: cleo.id, reason: 'lost' });
    assert.ok(Date.now() - cut > 2500, 'not before there was time to come back');
    ann.close();
  });

  await t.test('a member that was cut off comes back as the same one and has missed nothing', async () => {
    const ann = await member(server.ws, 'resume', 'Ann');
    const bob = await member(server.ws, 'resume', 'Bob');
    await ann.hear('peer-joined');
    bob.terminate();
    await bob.ended;
    await ann.request({ type: 'signal', to: bob.id, data: 1 });
    await ann.request({ type: 'broadcast', data: 2 });

    const back = await connect(server.ws);
    back.say({ type: 'resume', resume: bob.joined.resume });
    const joined = await back.hear('joined');
    assert.equal(joined.self, bob.id);
    assert.equal(joined.resumed, true);
    assert.deepEqual(joined.peers, [{ id: ann.id, name: 'Ann' }]);
    assert.equal((await back.hear('signal')).data, 1);
    assert.equal((await back.hear('broadcast')).data, 2);
    await back.request({ type: 'signal', to: ann.id, data: 'here' });
    assert.equal((await ann.hear('signal')).data, 'here', 'nobody noticed');

    const other = await connect(server.ws); // while the old line still seems alive
    other.say({ type: 'resume', resume: bob.joined.resume });
    await other.hear('joined');
    assert.deepEqual(await back.ended, { code: 4000, reason: 'resumed elsewhere' });
    await assert.rejects(other.request({ type: 'resume', resume: 'x' }), refused('already-joined'));
    const stranger = await connect(server.ws);
    await assert.rejects(stranger.request({ type: 'resume', resume: bob.joined.resume.replace(/.$/, '!') }),
      refused('resume-unknown'));
    for (const client of [ann, other, stranger]) client.close();
  });

  await t.test('a mistake only causes an error message', async () => {
    const ann = await member(server.ws, 'mistakes', 'Ann');
    const stranger = await member(server.ws, 'elsewhere', 'Eve');
    const told = async (text, code) => {
      ann.say(text);
      const error = await ann.hear('error');
      assert.equal(error.code, code);
      assert.ok(error.message.length > 10);
    };
    await told('{"type":', 'bad-message');
    await told('[]', 'bad-message');
    await told('"join"', 'bad-message');
    await told('{"type":7}', 'bad-message');
    await told(`${'['.repeat(50)}${']'.repeat(50)}`, 'bad-message');
    await told({ type: 'dance' }, 'unknown-type');
    await told({ type: 'signal', to: stranger.id, data: 1 }, 'no-such-peer');
    await told({ type: 'signal', to: ann.id, data: 1 }, 'no-such-peer');
    await told({ type: 'signal', to: 'nobody', data: 1 }, 'no-such-peer');
    await told({ type: 'signal', to: stranger.id }, 'bad-message');
    await told({ type: 'broadcast' }, 'bad-message');
    await told({ type: 'join', room: 'mistakes' }, 'already-joined');
    assert.deepEqual(await stranger.request({ type: 'ping' }), [], 'nothing has reached her');

    const newcomer = await connect(server.ws);
    const refuses = (message, code) => assert.rejects(newcomer.request(message), refused(code));
    await refuses({ type: 'broadcast', data: 1 }, 'not-joined');
    await refuses({ type: 'join' }, 'bad-room');
    await refuses({ type: 'join', room: '' }, 'bad-room');
    await refuses({ type: 'join', room: 'x'.repeat(65) }, 'bad-room');
    await refuses({ type: 'join', room: 'a\nb' }, 'bad-room');
    await refuses({ type: 'join', room: 'mistakes', name: 'x'.repeat(65) }, 'bad-name');
    await refuses({ type: 'join', room: 'mistakes', name: 7 }, 'bad-name');
    await newcomer.request({ type: 'join', room: 'ü'.repeat(64), name: '한'.repeat(64) });
    await ann.request({ type: 'broadcast', data: 'still here' });
    for (const client of [ann, stranger, newcomer]) client.close();
  });

  await t.test('a message that is too large or not text ends its connection', async () => {
    const ann = await member(server.ws, 'large', 'Ann');
    const bob = await member(server.ws, 'large', 'Bob');
    bob.say('x'.repeat(1 << 20));
    assert.equal((await bob.ended).code, 1009);
    const cleo = await connect(server.ws);
    cleo.send(Buffer.from([1, 2, 3]));
    assert.equal((await cleo.ended).code, 1003);
    await ann.request({ type: 'broadcast', data: 'x'.repeat(60_000) });
    ann.close();
  });

  await t.test('a page of another origin is refused; programs and our own pages are accepted', async () => {
    await assert.rejects(connect(server.ws, { origin: 'https://evil.example' }), error => error.status === 403);
    (await connect(server.ws, { origin: server.url })).close();
    (await connect(server.ws)).close();
    await assert.rejects(connect(`${server.url.replace('http', 'ws')}/nowhere`), error => error.status === 404);
  });

  await t.test('a client that never reads is dropped, and the others get everything', async () => {
    const ann = await member(server.ws, 'slow', 'Ann');
    const bob = await member(server.ws, 'slow', 'Bob');
    const slow = await member(server.ws, 'slow', 'Slow');
    slow.pause();
    const text = 'x'.repeat(60_000);
    let left = 0;
    for (let i = 0; i < 400; ++i) {
      await ann.request({ type: 'broadcast', data: text }).then(before => {
        left += before.filter(message => message.type === 'peer-left').length;
      });
      for (let message; message?.type !== 'broadcast';) message = await bob.hear();
    }
    if (!left) while ((await ann.hear()).type !== 'peer-left');
    for (const client of [ann, bob, slow]) client.terminate();
  });

  await t.test('when the daemon stops, all members are told why', async () => {
    const ann = await member(server.ws, 'restart', 'Ann');
    assert.equal(await server.stop(), 0, server.log());
    assert.deepEqual(await ann.ended, { code: 1001, reason: 'restarting' });
    assert.match(server.log(), /signaling refused message from 127\.0\.0\.1 \(signaling\.max_payload\)/);
    assert.match(server.log(), /signaling refused slow-reader from 127\.0\.0\.1 \(signaling\.max_waiting\)/);
    const [, opened, slow] = server.log().match(/ web_sockets=(\d+) dropped_slow=(\d+)/);
    assert.ok(Number(opened) > 10, opened);
    assert.equal(slow, '1');
  });
});

test('the limits of rooms hold', async t => {
  const server = await startServer({ signaling: ['members_per_room: 2', 'rooms_per_address: 3', 'connect_timeout: 3s'] });
  t.after(server.stop);
  const ann = await member(server.ws, 'one', 'Ann');
  await member(server.ws, 'one', 'Bob');
  await assert.rejects(member(server.ws, 'one', 'Cleo'), refused('room-full'));
  await member(server.ws, 'two', 'Cleo');
  await member(server.ws, 'three', 'Dan');
  await assert.rejects(member(server.ws, 'four', 'Eve'), refused('too-many-rooms'));
  await ann.request({ type: 'broadcast', data: 'unharmed' });
  const idle = await connect(server.ws);
  assert.deepEqual(await within(30_000, 'its end', idle.ended), { code: 1008, reason: 'no room joined in time' });
});

test('the plain protocol with tokens', async t => {
  const server = await startServer({ signaling: ['access: token', `token_secrets: [${secret}, another-secret-of-ours]`] });
  t.after(server.stop);
  const join = async (join, options) => {
    const client = await connect(server.ws, options);
    const [joined] = await client.request({ type: 'join', room: 'blue', ...join }).finally(() => client.close());
    return joined;
  };
  const exp = inSeconds(60);
  await assert.rejects(join({}), refused('token-required'));
  await assert.rejects(join({ token: 'x.y.z' }), refused('token-invalid'));
  await assert.rejects(join({ token: token({ room: 'blue', exp: inSeconds(-61) }) }), refused('token-expired'));
  await assert.rejects(join({ token: token({ room: 'blue' }) }), refused('token-invalid'));
  await assert.rejects(join({ token: token({ room: 'green', exp }) }), refused('token-invalid'));
  await assert.rejects(join({ token: token({ room: 'blue', exp }, { key: 'not-our-secret-at-all' }) }), refused('token-invalid'));
  await assert.rejects(join({ token: token({ room: 'blue', exp }, { header: { alg: 'none' } }) }), refused('token-invalid'));
  await join({ token: token({ room: 'blue', exp }) });
  await join({ token: token({ exp }, { key: 'another-secret-of-ours' }) });
  const headers = { authorization: `Bearer ${token({ room: 'blue', exp, sub: 'ann@example.org' })}` };
  const joined = await join({}, { headers });
  assert.match(joined.iceServers.at(-1).username, /^\d+:ann@example.org$/);
  await server.stop(); // the log is whole then
  assert.match(server.log(), /signaling refused token-invalid /);
  assert.ok(!server.log().includes('eyJ'), 'no token is in the log');
});

test('invalid frames end the connection', async t => {
  const server = await startServer();
  t.after(server.stop);
  const ann = await member(server.ws, 'frames', 'Ann');
  const socket = net.connect(server.port, '127.0.0.1');
  const closed = new Promise(resolve => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
  await new Promise(resolve => socket.once('data', resolve));
  socket.write(Buffer.from('ff85000000001122334455', 'hex'));
  socket.resume();
  await within(5000, 'the end', closed);
  await ann.request({ type: 'broadcast', data: 'unharmed' });
  ann.close();
});
