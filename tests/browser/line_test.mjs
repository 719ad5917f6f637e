// Tests the page's line to the server: joining, coming back, and what is sent again. The WebSockets only pretend, and
// time passes only when a test lets it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './support/page_globals.mjs';

const waking = new EventTarget(); // in place of the window
globalThis.addEventListener = (...words) => waking.addEventListener(...words);
globalThis.removeEventListener = (...words) => waking.removeEventListener(...words);
globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });

let now = 0;
let timers = [];
let lastTimer = 0;
globalThis.setTimeout = (run, delay) => {
  timers.push({ id: ++lastTimer, at: now + delay, run });
  return lastTimer;
};
globalThis.clearTimeout = id => { timers = timers.filter(timer => timer.id !== id); };

// Lets promises go on that can.
const settle = () => new Promise(resolve => setImmediate(resolve));

async function pass(milliseconds) {
  const until = now + milliseconds;
  await settle();
  for (;;) {
    const [next] = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.id - b.id);
    if (!next) break;
    now = next.at;
    timers = timers.filter(timer => timer !== next);
    next.run();
    await settle();
  }
  now = until;
}

let sockets = [];
globalThis.WebSocket = class extends EventTarget {
  sent = [];
  closed = null;
  began = now;
  constructor(url) { super(); this.url = url; sockets.push(this); }
  send(text) { this.sent.push(JSON.parse(text)); }
  close(code) { this.closed = code ?? 'closed'; } // a dead connection has no close event
  opens() { this.dispatchEvent(new Event('open')); }
  says(message) { this.dispatchEvent(Object.assign(new Event('message'), { data: typeof message === 'string' ? message : JSON.stringify(message) })); }
  ends(code = 1006) { this.dispatchEvent(Object.assign(new Event('close'), { code })); }
};
const { Signaling } = await import('../../src/web/app/signaling.mjs');

const last = () => sockets.at(-1);
const joined = { type: 'joined', room: 'blue', self: 'me', peers: [], resume: 'secret' };

// A page that has joined, or tries to. `told` are the events.
let former = null;
function begin(membership = { room: 'blue', name: 'Ann' }) {
  former?.leave();
  now = 0;
  timers = [];
  sockets = [];
  const line = new Signaling('ws://server/ws');
  former = line;
  const told = [];
  for (const type of ['joined', 'line', 'refused', 'token', 'signal'])
    line.addEventListener(type, ({ detail }) => told.push([type, detail.online ?? detail.code ?? detail.data ?? detail.self]));
  const entered = line.join(membership);
  entered.catch(() => {});
  return { line, told, entered };
}
async function join(membership) {
  const page = begin(membership);
  last().opens();
  last().says(joined);
  await page.entered;
  page.told.length = 0;
  return page;
}
const outcomeOf = promise => promise.then(() => 'done', ({ code }) => code);

test('a page joins with what it has', async () => {
  const { line, told, entered } = begin({ room: 'blue', name: 'Ann', token: 't' });
  assert.equal(last().url, 'ws://server/ws');
  assert.deepEqual(last().sent, [], 'nothing before it is open');
  last().opens();
  assert.deepEqual(last().sent, [{ type: 'join', room: 'blue', name: 'Ann', token: 't', id: 0 }]);
  assert.equal(line.online, false);
  last().says('this is no JSON');
  last().says(joined);
  assert.equal((await entered).self, 'me');
  assert.deepEqual(told, [['joined', 'me'], ['line', true]]);
  assert.equal(line.online, true);
});

test('a first join that fails is over', async () => {
  const code = async fail => {
    const { told, entered } = begin();
    await fail(last());
    const outcome = await outcomeOf(entered);
    await pass(60_000);
    assert.equal(sockets.length, 1, 'nobody tries again behind the back of the person');
    assert.deepEqual(told, []);
    return outcome;
  };
  assert.equal(await code(socket => { socket.opens(); socket.says({ type: 'error', id: 0, code: 'room-full' }); }), 'room-full');
  assert.equal(await code(socket => socket.ends()), 'unreachable');
  assert.equal(await code(() => pass(6000)), 'unreachable');
});

test('what is sent has an answer of its own', async () => {
  const { line, told } = await join();
  const [first, second] = [outcomeOf(line.signal('bob', 1)), outcomeOf(line.signal('eve', 2))];
  const [{ id: one, ...message }, { id: two }] = last().sent.slice(1);
  assert.deepEqual(message, { type: 'signal', to: 'bob', data: 1 });
  assert.notEqual(one, two);
  last().says({ type: 'error', id: two, code: 'no-such-peer' });
  last().says({ type: 'ack', id: one });
  last().says({ type: 'ack', id: 99 });
  assert.deepEqual([await first, await second], ['done', 'no-such-peer']);
  last().says({ type: 'signal', from: 'bob', data: 'hello' });
  assert.deepEqual(told, [['signal', 'hello']]);
});

test('a page that was cut off comes back as the same member, and sends again what had no answer', async () => {
  const { line, told } = await join();
  const answered = outcomeOf(line.signal('bob', 'answered'));
  last().says({ type: 'ack', id: last().sent.at(-1).id });
  const waits = outcomeOf(line.signal('bob', 'waits'));
  last().ends();
  const late = outcomeOf(line.signal('bob', 'said meanwhile'));
  assert.deepEqual(told, [['line', false]]);
  await pass(400);
  assert.equal(sockets.length, 2);
  last().opens();
  assert.deepEqual(last().sent, [{ type: 'resume', resume: 'secret', id: 0 }]);
  sockets[0].says({ ...joined, self: 'a ghost' });
  last().says({ ...joined, resumed: true, resume: 'another secret' });
  assert.deepEqual(last().sent.slice(1).map(({ data }) => data), ['waits', 'said meanwhile']);
  for (const { id } of last().sent.slice(1)) last().says({ type: 'ack', id });
  assert.deepEqual([await answered, await waits, await late], ['done', 'done', 'done']);
  assert.deepEqual(told.slice(1), [['joined', 'me'], ['line', true]]);
  last().ends();
  await pass(400);
  last().opens();
  assert.equal(last().sent[0].resume, 'another secret');
});

test('whom the server no longer knows joins anew, and what waited is lost', async () => {
  const { line } = await join({ room: 'blue', name: 'Ann', token: 't' });
  const waits = outcomeOf(line.signal('bob', 'waits'));
  last().ends();
  await pass(400);
  last().opens();
  last().says({ type: 'error', id: 0, code: 'resume-unknown' });
  assert.deepEqual(last().sent.at(-1), { type: 'join', room: 'blue', name: 'Ann', token: 't', id: 0 });
  last().says(joined);
  assert.equal(await waits, 'lost');
  assert.equal(last().sent.length, 2, 'the others have new ids');
});

test('a page whose place another one has taken joins anew', async () => {
  await join();
  last().ends(4000);
  await pass(400);
  last().opens();
  assert.equal(last().sent[0].type, 'join');
});

test('a page tries again at once, then every second, and later every two', async () => {
  await join();
  const begun = [];
  const gaps = [];
  for (let i = 0; i < 40; ++i) {
    const ended = now;
    last().ends();
    while (last().closed === null && sockets.length === i + 1) await pass(10);
    begun.push(last().began);
    gaps.push(last().began - ended);
  }
  assert.ok(gaps[0] >= 180 && gaps[0] <= 320, String(gaps[0]));
  assert.ok(gaps[1] >= 370 && gaps[1] <= 630, String(gaps[1]));
  assert.ok(gaps.slice(3, 30).every(gap => gap >= 740 && gap <= 1260), gaps.join());
  assert.ok(gaps.slice(31).every(gap => gap >= 1490 && gap <= 2510), gaps.join());
  assert.ok(new Set(gaps.slice(3, 30)).size > 5, 'pages that were cut off together do not come back together');
  last().opens();
  last().says(joined);
  last().ends();
  const ended = now;
  await pass(330);
  assert.ok(last().began >= ended + 180, 'after a success the delays begin anew');
});

test('when the network is back or the page is looked at again, nobody waits', async () => {
  for (const wake of [() => waking.dispatchEvent(new Event('online')), () => document.dispatchEvent(new Event('visibilitychange'))]) {
    await join();
    last().ends();
    wake();
    assert.equal(sockets.length, 2);
    await pass(5000);
    assert.equal(sockets.length, 2, 'and nobody tries a second time');
    last().opens();
    last().says({ ...joined, resumed: true });
    wake();
    assert.equal(last().sent.at(-1).type, 'ping', 'whether the line still works is asked');
  }
});

test('a line that does not answer is given up', async () => {
  const { line, told } = await join();
  const waits = outcomeOf(line.signal('bob', 1));
  await pass(4999);
  assert.equal(last().closed, null);
  await pass(1);
  assert.equal(last().closed, 4001, 'which says to the server that we come back');
  assert.deepEqual(told, [['line', false]]);
  await pass(400);
  last().opens();
  last().says({ ...joined, resumed: true });
  last().says({ type: 'ack', id: last().sent.at(-1).id });
  assert.equal(await waits, 'done');
  await pass(15_000);
  assert.equal(last().sent.at(-1).type, 'ping', 'after a silence');
  last().says({ type: 'ack', id: last().sent.at(-1).id });
  await pass(14_999);
  last().says({ type: 'ice-servers' });
  await pass(14_999);
  assert.equal(last().sent.filter(({ type }) => type === 'ping').length, 1, 'whoever is heard is not asked');
  await pass(5001);
  assert.equal(last().closed, 4001);
});

test('what cannot change ends the attempts, and anything else does not', async () => {
  for (const code of ['token-required', 'token-invalid', 'token-not-yet-valid', 'token-expired', 'token-revoked', 'bad-room', 'bad-name']) {
    const { told } = await join();
    last().ends();
    await pass(400);
    last().opens();
    last().says({ type: 'error', id: 0, code });
    assert.deepEqual(told, [['line', false], ['line', false], ['refused', code]]);
    await pass(60_000);
    assert.equal(sockets.length, 2);
  }
  const { told } = await join();
  last().ends();
  await pass(400);
  last().opens();
  last().says({ type: 'error', id: 0, code: 'room-full' });
  await pass(1400);
  assert.equal(sockets.length, 2, 'there is time until somebody leaves');
  await pass(1200);
  assert.equal(sockets.length, 3);
  assert.deepEqual(told, [['line', false]]);
});

test('a token that has expired is told, and another takes its place', async () => {
  const { line, told } = await join({ room: 'blue', name: 'Ann', token: 'old' });
  last().says({ type: 'error', code: 'token-expired' });
  last().says({ type: 'error', code: 'rate-limited' });
  assert.deepEqual(told, [['token', 'token-expired']]);
  const renewed = outcomeOf(line.renew('new'));
  assert.equal(last().sent.at(-1).token, 'new');
  last().says({ type: 'ack', id: last().sent.at(-1).id });
  assert.equal(await renewed, 'done');
  last().ends(4000);
  await pass(400);
  last().opens();
  assert.equal(last().sent[0].token, 'new');
});

// A server that was restarted has forgotten the request for the new token, and does not let in whoever brings the old one.
test('a token that came while the server was away is used when it is back', async () => {
  for (const oldIsGood of [true, false]) {
    const { line, told } = await join({ room: 'blue', name: 'Ann', token: 'old' });
    last().ends();
    const renewed = outcomeOf(line.renew('new'));
    await pass(400);
    last().opens();
    last().says({ type: 'error', id: 0, code: 'resume-unknown' });
    const joins = ['old'];
    if (!oldIsGood) {
      last().says({ type: 'error', id: 0, code: 'token-expired' });
      joins.push('new');
    }
    assert.deepEqual(last().sent.slice(1), joins.map(token => ({ type: 'join', room: 'blue', name: 'Ann', token, id: 0 })));
    last().says(joined);
    await settle();
    const { id, ...request } = last().sent.at(-1);
    assert.deepEqual(request, { type: 'token', token: 'new' });
    last().says({ type: 'ack', id });
    assert.equal(await renewed, 'done');
    assert.deepEqual(told, [['line', false], ['joined', 'me'], ['line', true]]);
    last().ends(4000);
    await pass(400);
    last().opens();
    assert.equal(last().sent[0].token, 'new');
  }
  // When neither is good, the attempts end.
  const { line, told } = await join({ room: 'blue', name: 'Ann', token: 'old' });
  last().ends();
  const renewed = outcomeOf(line.renew('new'));
  await pass(400);
  last().opens();
  for (let i = 0; i < 2; ++i) last().says({ type: 'error', id: 0, code: 'token-revoked' });
  assert.equal(await renewed, 'left');
  assert.deepEqual(told, [['line', false], ['line', false], ['refused', 'token-revoked']]);
});

test('who leaves says so, and does not come back', async () => {
  const { line, told } = await join();
  const waits = outcomeOf(line.signal('bob', 1));
  line.leave();
  assert.deepEqual([last().sent.at(-1), last().closed], [{ type: 'leave' }, 1000]);
  assert.equal(await waits, 'left');
  last().ends(1000);
  waking.dispatchEvent(new Event('online'));
  await pass(60_000);
  assert.deepEqual([sockets.length, timers.length, told], [1, 0, []]);
});
