// Tests the sending of files from page to page, with channels and people that only pretend.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './support/page_globals.mjs';
import { Files, isImage, sizeLimit } from '../../src/web/app/files.mjs';

const megabyte = 1024 * 1024;

class Channel extends EventTarget {
  readyState = 'open';
  bufferedAmount = 0;
  sent = [];
  constructor(label) { super(); this.label = label; }
  send(part) { this.sent.push(part); }
  close() {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }
  receive(bytes) { this.dispatchEvent(Object.assign(new Event('message'), { data: new Uint8Array(bytes).buffer })); }
}

// A person who notes what is said to it, and whose channels are at hand.
function someone({ hears = true } = {}) {
  const person = { said: [], channels: [] };
  person.say = message => { if (hears) person.said.push(message); return hears; };
  person.peer = { chunkSize: 16 * 1024, openChannel: label => { person.channels.push(new Channel(label)); return person.channels.at(-1); } };
  return person;
}

// Files, and the transfers that were offered to us.
function receiver() {
  const files = new Files();
  const offered = [];
  files.addEventListener('offered', ({ detail }) => offered.push(detail));
  const offer = (person, id, size, more = {}) =>
    files.heard(person, { type: 'file-offer', id, name: `${id}.bin`, size, mime: '', ...more });
  return { files, offered, offer };
}

const fileOf = (size, name = 'a.bin', type = '') => Object.assign(new Blob([new Uint8Array(size).fill(7)], { type }), { name });
const until = async (what, condition) => {
  for (let i = 0; !condition(); ++i) {
    assert.ok(i < 1000, what);
    await new Promise(resolve => setImmediate(resolve));
  }
};

test('small files come without a question, up to their limits for one person and for all', () => {
  const { files, offered, offer } = receiver();
  const [ann, bob, cat, dan] = Array.from({ length: 4 }, () => someone());
  const states = () => offered.map(({ state }) => state);
  offer(ann, 'at the limit', megabyte);
  offer(ann, 'beyond it', megabyte + 1);
  offer(ann, 'a picture at the limit', 10 * megabyte, { mime: 'image/png' });
  offer(ann, 'one beyond it', 10 * megabyte + 1, { mime: 'image/png' });
  offer(ann, 'no picture', 2 * megabyte, { mime: 'image/svg+xml' });
  assert.deepEqual(states(), ['running', 'offered', 'running', 'offered', 'offered']);
  offer(ann, 'what fills her sum', 9 * megabyte, { mime: 'image/png' });
  offer(ann, 'beyond her sum', 1);
  assert.deepEqual(states().slice(5), ['running', 'offered']);
  for (let i = 0; i < 11; ++i) offer(bob, `bob ${i}`, 1);
  assert.deepEqual(states().slice(7), [...Array(10).fill('running'), 'offered']);
  offer(cat, 'cat 1', 10 * megabyte, { mime: 'image/png' });
  offer(cat, 'cat 2', 10 * megabyte, { mime: 'image/png' });
  for (let i = 0; i < 10; ++i) offer(dan, `dan ${i}`, megabyte);
  assert.ok(states().slice(18).every(state => state === 'running'));
  const channel = new Channel('file:bob 0');
  files.opened(bob, channel);
  channel.receive([1]);
  assert.equal(states()[7], 'done');
  offer(bob, 'one more of Bob', 1);
  assert.equal(offered.pop().state, 'offered', 'what has come is kept as well');
  const last = someone();
  for (let i = 0; i < 6; ++i) offer(last, `last ${i}`, 1);
  assert.deepEqual(states().slice(30), [...Array(5).fill('running'), 'offered'], 'thirty of all people');
});

test('an offer that makes no sense is none, and one that is too large is refused', () => {
  const { files, offered, offer } = receiver();
  const ann = someone();
  for (const [id, size] of [[7, 1], ['x'.repeat(65), 1], ['negative', -1], ['half', 0.5], ['text', '1'], ['much', 2 ** 60]])
    assert.equal(offer(ann, id, size), true);
  assert.deepEqual(offered, []);
  offer(ann, 'x'.repeat(64), sizeLimit);
  offer(ann, 'large', sizeLimit + 1);
  offer(ann, 'large', 1);
  assert.deepEqual(offered.map(({ state, reason }) => [state, reason]), [['offered', null], ['refused', 'too-large']]);
  assert.deepEqual(ann.said, [{ type: 'file-refuse', id: 'large', reason: 'too-large' }]);
  assert.equal(files.heard(ann, { type: 'chat' }), false);
  offer(ann, 'path', 1, { name: 'C:\\secret/..\\a\u202eb.txt\n', mime: 'y'.repeat(200) });
  assert.deepEqual([offered.at(-1).name, offered.at(-1).mime.length], ['ab.txt', 100]);
  offer(ann, 'nameless', 1, { name: '/' });
  assert.equal(offered.at(-1).name, 'file');
});

test('a file that comes whole is done, and is never a page of ours', async () => {
  const { files, offered, offer } = receiver();
  const ann = someone();
  offer(ann, 'a', 5, { mime: 'text/html' });
  const channel = new Channel('file:a');
  files.opened(ann, channel);
  channel.receive([1, 2, 3]);
  assert.deepEqual([offered[0].state, offered[0].bytes, offered[0].share], ['running', 3, 0.6]);
  channel.receive([4, 5]);
  assert.deepEqual([offered[0].state, offered[0].result.type], ['done', 'application/octet-stream']);
  assert.deepEqual([...new Uint8Array(await offered[0].result.arrayBuffer())], [1, 2, 3, 4, 5]);
  assert.deepEqual(ann.said.map(({ type }) => type), ['file-accept', 'file-done']);
  channel.close();
  assert.equal(offered[0].state, 'done');
  offer(ann, 'empty', 0, { mime: 'image/png' });
  files.opened(ann, new Channel('file:empty'));
  assert.deepEqual([offered[1].state, offered[1].result.type, offered[1].share], ['done', 'image/png', 1]);
  assert.ok(isImage({ mime: 'image/webp' }) && !isImage({ mime: 'image/svg+xml' }), 'an SVG can have scripts');
});

test('more than was offered is cancelled, and what is cut off has failed', () => {
  const { files, offered, offer } = receiver();
  const ann = someone();
  const begin = (id, size) => {
    offer(ann, id, size);
    const channel = new Channel(`file:${id}`);
    files.opened(ann, channel);
    return channel;
  };
  const much = begin('much', 2);
  much.receive([1, 2, 3]);
  assert.deepEqual([offered[0].state, offered[0].reason, much.readyState], ['cancelled', 'here', 'closed']);
  assert.deepEqual(ann.said.at(-1), { type: 'file-cancel', id: 'much' });
  begin('cut', 2).close();
  assert.deepEqual([offered[1].state, offered[1].reason], ['failed', 'gone']);
  begin('lost', 2);
  begin('lost too', 2);
  files.lost(someone());
  assert.deepEqual(offered.slice(2).map(({ state }) => state), ['running', 'running'], 'somebody else');
  files.lost(ann);
  assert.deepEqual(offered.slice(2).map(({ state }) => state), ['failed', 'failed']);
});

test('a channel belongs to a transfer that runs, of that person, and to one alone', () => {
  const { files, offered, offer } = receiver();
  const [ann, eve] = [someone(), someone()];
  offer(ann, 'a', 2);
  offer(ann, 'waits', 2 * megabyte);
  const stays = (person, label) => {
    const channel = new Channel(label);
    files.opened(person, channel);
    return channel.readyState === 'open';
  };
  assert.deepEqual([stays(eve, 'file:a'), stays(ann, 'file:none'), stays(ann, 'file:waits'), stays(ann, 'file:a'), stays(ann, 'file:a')],
    [false, false, false, true, false]);
  for (const type of ['file-cancel', 'file-done', 'file-refuse']) files.heard(eve, { type, id: 'a' });
  files.heard(ann, { type: 'file-done', id: 'a' });
  files.heard(ann, { type: 'file-accept', id: 'waits' });
  assert.deepEqual(offered.map(({ state }) => state), ['running', 'offered'], 'only the sender of a file can say this of it');
  files.heard(ann, { type: 'file-cancel', id: 'a' });
  assert.deepEqual([offered[0].state, offered[0].reason], ['cancelled', 'there']);
  files.accept(offered[1]);
  files.accept(offered[1]);
  assert.equal(ann.said.filter(({ type, id }) => type === 'file-accept' && id === 'waits').length, 1);
});

test('a file is sent in parts as the other side accepts it', async () => {
  const files = new Files();
  const [ann, deaf] = [someone(), someone({ hears: false })];
  const [transfer, lost] = files.offer(fileOf(100_000), [ann, deaf]);
  assert.deepEqual([lost.state, lost.reason], ['failed', 'gone']);
  const [{ id, ...offer }] = ann.said;
  assert.deepEqual(offer, { type: 'file-offer', name: 'a.bin', size: 100_000, mime: '' });
  assert.equal(ann.channels.length, 0, 'nothing before the other side agrees');
  files.heard(ann, { type: 'file-accept', id });
  files.heard(ann, { type: 'file-accept', id });
  await until('all parts', () => ann.channels[0].sent.reduce((sum, { byteLength }) => sum + byteLength, 0) === 100_000);
  assert.equal(ann.channels.length, 1);
  assert.equal(ann.channels[0].label, `file:${id}`);
  assert.ok(ann.channels[0].sent.every(({ byteLength }) => byteLength <= 16 * 1024));
  assert.equal(transfer.state, 'running', 'until the other side has it');
  files.heard(ann, { type: 'file-done', id });
  assert.deepEqual([transfer.state, transfer.bytes, ann.channels[0].readyState], ['done', 100_000, 'closed']);
});

test('a sender waits while much is on its way, and stops when it is cancelled', async () => {
  const files = new Files();
  const ann = someone();
  const [transfer] = files.offer(fileOf(400_000), [ann]);
  const { id } = ann.said[0];
  ann.peer.openChannel = label => {
    const channel = new Channel(label);
    channel.send = part => { channel.sent.push(part); channel.bufferedAmount = channel.sent.length >= 3 ? 2 * megabyte : 0; };
    ann.channels.push(channel);
    return channel;
  };
  files.heard(ann, { type: 'file-accept', id });
  await until('three parts', () => ann.channels[0].sent.length === 3);
  for (let i = 0; i < 50; ++i) await new Promise(resolve => setImmediate(resolve));
  assert.equal(ann.channels[0].sent.length, 3, 'nothing more before there is room');
  ann.channels[0].dispatchEvent(new Event('bufferedamountlow'));
  await until('one more', () => ann.channels[0].sent.length === 4);
  files.cancel(transfer);
  files.cancel(transfer);
  assert.equal(ann.said.filter(({ type }) => type === 'file-cancel').length, 1);
  for (let i = 0; i < 50; ++i) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual([ann.channels[0].sent.length, transfer.state, transfer.reason], [4, 'cancelled', 'here']);
});

test('what leaves the log is given up', () => {
  const { files, offered, offer } = receiver();
  const ann = someone();
  offer(ann, 'runs', 2);
  offer(ann, 'waits', 2 * megabyte);
  for (const transfer of offered) files.forget(transfer);
  assert.deepEqual(offered.map(({ state }) => state), ['cancelled', 'refused']);
  assert.deepEqual(ann.said.slice(-2), [{ type: 'file-cancel', id: 'runs' }, { type: 'file-refuse', id: 'waits', reason: 'declined' }]);
  offer(ann, 'runs', 2);
  assert.equal(offered.length, 3, 'its id is free again');
});
