// Much that comes at once for clients who read, and for one who does not read for a while, by HTTP and by HTTPS.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { makeCertificate } from '../browser/support/certificate.mjs';
import { within } from '../browser/support/cleanup.mjs';
import { connect as connectTo, member } from './support/client.mjs';
import { request } from './support/http.mjs';
import { startServer } from './support/server.mjs';

const require = createRequire(new URL('../browser/package.json', import.meta.url));
const { io } = require('socket.io-client');

const { certificate, privateKey } = makeCertificate('127.0.0.1');
const trusting = { rejectUnauthorized: false };
const start = (scheme, signaling) => startServer({ scheme, signaling: [...signaling, 'bytes_per_second_per_address: 0'],
  more: [`tls: {certificate: ${certificate}, private_key: ${privateKey}}`] });

for (const scheme of ['http', 'https']) {
  test(`${scheme}: who reads gets all that is said at once, though less may wait for one who does not`, async t => {
    const server = await start(scheme, ['max_waiting: 16384']);
    t.after(server.stop);
    const bob = await member(server.ws, 'blue', 'Bob', trusting);
    const connect = transport => {
      const socket = io(server.url, { forceNew: true, transports: [transport], ...trusting });
      t.after(() => socket.close());
      return socket;
    };
    // Dora polls, and what comes is more than one answer takes.
    const [ann, cleo, dora] = ['polling', 'websocket', 'polling'].map(connect);
    for (const socket of [ann, cleo, dora]) {
      await socket.timeout(8000).emitWithAck('join_room', 'blue');
      await bob.hear('peer-joined');
    }
    const texts = Array.from({ length: 55 }, (_, i) => `${i} ${'x'.repeat(1000)}`);
    const hearAll = socket => new Promise((resolve, reject) => {
      const heard = [];
      socket.on('chat', text => { if (heard.push(text) === texts.length) resolve(heard); });
      socket.on('disconnect', why => reject(new Error(`disconnected: ${why}`)));
    });
    const all = Promise.all([cleo, dora].map(hearAll));
    all.catch(() => {});
    for (const text of texts) ann.emit('chat', text, 'blue'); // the first by itself, and the others in one request
    for (const text of texts) assert.equal((await bob.hear('broadcast')).data, text);
    assert.deepEqual(await within(8000, 'all of it', all), [texts, texts]);
    ann.emit('chat', 'y'.repeat(30_000), 'blue'); // one that is longer than what may wait
    assert.equal((await bob.hear('broadcast')).data.length, 30_000);
    assert.doesNotMatch(server.log(), /slow-reader/);
    bob.close();
  });

  test(`${scheme}: who changes to a WebSocket gets all that has come meanwhile, though less may wait for it`, async t => {
    const server = await start(scheme, ['preset: echo', 'max_payload: 8000000', 'max_waiting: 3000000']);
    t.after(server.stop);
    const path = '/engine.io/?EIO=4&transport=';
    const { sid } = JSON.parse((await request(server.url, `${path}polling`)).body.toString().slice(1));
    const texts = Array.from({ length: 3 }, (_, i) => `4${i} ${'x'.repeat(7_500_000)}`); // more than the kernel holds
    for (const body of texts)
      assert.equal((await request(server.url, `${path}polling&sid=${sid}`, { method: 'POST', body })).status, 200);
    const wire = await connectTo(`${server.url.replace('http', 'ws')}${path}websocket&sid=${sid}`, trusting);
    wire.say('2probe');
    assert.equal(await wire.hearText(), '3probe');
    wire.say('5');
    wire.say('4and on');
    for (const text of [...texts, '4and on']) assert.ok(await wire.hearText() === text, text.slice(0, 20));
    assert.doesNotMatch(server.log(), /slow-reader/);
    wire.close();
  });

  test(`${scheme}: who reads again after a while has missed nothing, and its pings are answered in between`, async t => {
    const server = await start(scheme, ['max_waiting: 16777216']);
    t.after(server.stop);
    const ann = await member(server.ws, 'blue', 'Ann', trusting);
    const bob = await member(server.ws, 'blue', 'Bob', trusting);
    await ann.hear('peer-joined');
    bob.pause();
    const text = i => `${i} ${'x'.repeat(60_000)}`;
    const count = 200; // more than the kernel holds
    for (let i = 0; i < count; ++i) {
      await ann.request({ type: 'broadcast', data: text(i) });
      if (i === count / 2) bob.ping('are you there?');
    }
    const pong = new Promise(resolve => { bob.once('pong', resolve); });
    bob.resume();
    for (let i = 0; i < count; ++i) assert.equal((await bob.hear('broadcast')).data, text(i));
    assert.equal(String(await within(8000, 'the answer to the ping', pong)), 'are you there?');
    bob.say({ type: 'signal', to: ann.id, data: 'all is here' });
    assert.equal((await ann.hear('signal')).data, 'all is here');
    for (const client of [ann, bob]) client.close();
  });
}
