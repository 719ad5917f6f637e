// The WebSocket to /ws. It joins a room, reconnects by itself (as the same member if the server still knows
// us), and sends again what was not acknowledged. Events, each with a detail:
//   joined · peer-joined · peer-left · signal · broadcast · ice-servers · going-away   messages of the server
//   line      { online }                                                 the connection was lost, or is back
//   refused   { code }                                                   the server refuses us
//   token     { code }                                                   our token is no longer valid
const firstDelay = 250;
const delays = { short: 1000, long: 2000, shortFor: 30 }; // a restart is short; an outage may not be
const joinTime = 6000;
const ackTime = 5000;
const idleTime = 15_000;
const resumedElsewhere = 4000;
const abandoned = 4001; // the server must not take it for a goodbye, since we come back
const forGood = ['token-required', 'token-invalid', 'token-not-yet-valid', 'token-expired', 'token-revoked', 'bad-room', 'bad-name'];

export const aboutToken = code => code.startsWith('token-');

class SignalingError extends Error {
  constructor(code, message = code) {
    super(message);
    this.code = code;
  }
}

export class Signaling extends EventTarget {
  #url;
  #socket = null;
  #membership = null; // { room, name, token } from the first join until we leave
  #resume = null;
  #first = null; // settles the promise of join()
  #offered = undefined; // the token of the last renew(), whether or not the server has taken it
  #attempts = 0;
  #retry = 0;
  #deadline = 0;
  #idle = 0;
  #nextId = 1;
  #pending = new Map(); // id → { message, timer, resolve, reject }, in the order of sending
  #online = false;
  #wake = () => { if (document.visibilityState === 'visible') this.#hurry(); };

  constructor(url) {
    super();
    this.#url = url;
  }

  get online() { return this.#online; }

  // Resolves with the `joined` message, or rejects with a SignalingError. Later losses are repaired silently.
  join(membership) {
    this.#membership = membership;
    addEventListener('online', this.#wake);
    document.addEventListener('visibilitychange', this.#wake);
    return new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
      this.#connect();
    });
  }

  rename(name) {
    if (this.#membership) this.#membership.name = name;
  }

  // Takes another token in place of ours, which has expired or soon will. A server that was restarted meanwhile is
  // asked again.
  async renew(token) {
    this.#offered = token;
    try {
      await this.request({ type: 'token', token });
    } catch (error) {
      if (error.code !== 'lost') throw error;
      return this.renew(token);
    }
    if (this.#membership) this.#membership.token = token;
  }

  // Sends a message that has an answer. While the line is down, it waits.
  request(message) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const entry = { message: { ...message, id }, resolve, reject, timer: 0 };
      this.#pending.set(id, entry);
      if (this.#online) this.#transmit(entry);
    });
  }

  signal(to, data) { return this.request({ type: 'signal', to, data }); }

  leave() {
    const socket = this.#socket;
    if (this.#online) socket.send('{"type":"leave"}');
    this.#end();
    socket?.close(1000);
  }

  #end() {
    this.#membership = null;
    this.#resume = null;
    this.#drop();
    clearTimeout(this.#retry);
    removeEventListener('online', this.#wake);
    document.removeEventListener('visibilitychange', this.#wake);
    this.#forget(new SignalingError('left'));
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const current = handler => event => { if (this.#socket === socket) handler(event); };
    socket.addEventListener('open', current(() => this.#enter()));
    socket.addEventListener('message', current(({ data }) => this.#receive(data)));
    socket.addEventListener('close', current(({ code }) => {
      // a copy of this page has resumed, so this page must join again
      if (code === resumedElsewhere) this.#resume = null;
      this.#lost();
    }));
    this.#deadline = setTimeout(() => this.#abandon(), joinTime);
  }

  #enter() {
    const { room, name, token } = this.#membership;
    const message = this.#resume
      ? { type: 'resume', resume: this.#resume }
      : { type: 'join', room, name, ...token && { token } };
    this.#socket.send(JSON.stringify({ ...message, id: 0 }));
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    clearTimeout(this.#idle);
    if (this.#online) this.#idle = setTimeout(() => this.#probe(), idleTime);
    switch (message.type) {
      case 'ack': return this.#settle(message.id, ({ resolve }) => resolve());
      case 'error': return this.#failed(message);
      case 'joined': return this.#joined(message);
      default: this.#emit(message.type, message);
    }
  }

  #joined(message) {
    clearTimeout(this.#deadline);
    this.#attempts = 0;
    this.#resume = message.resume;
    this.#online = true;
    this.#idle = setTimeout(() => this.#probe(), idleTime);
    if (!message.resumed) this.#forget(new SignalingError('lost'));
    this.#first?.resolve(message);
    this.#first = null;
    for (const entry of [...this.#pending.values()]) this.#transmit(entry);
    this.#emit('joined', message);
    this.#emit('line', { online: true });
  }

  #failed({ id, code, message }) {
    if (id === undefined) { // no request of ours has caused it
      if (aboutToken(code)) this.#emit('token', { code });
      return;
    }
    if (id !== 0) {
      this.#settle(id, ({ reject }) => reject(new SignalingError(code, message)));
      return;
    }
    if (code === 'resume-unknown') { // the server was restarted, or we were away for too long
      this.#resume = null;
      this.#enter();
    } else if (this.#first) {
      this.#giveUp(new SignalingError(code, message));
    } else if (aboutToken(code) && (this.#offered ?? this.#membership.token) !== this.#membership.token) {
      this.#membership.token = this.#offered;
      this.#enter();
    } else if (forGood.includes(code)) {
      this.#end();
      this.#emit('line', { online: false });
      this.#emit('refused', { code });
    } else {
      this.#attempts = Math.max(this.#attempts, delays.shortFor); // the room is full, or too many attempts
      this.#abandon();
    }
  }

  #giveUp(error) {
    const { reject } = this.#first;
    this.#first = null;
    const socket = this.#socket;
    this.#end();
    socket?.close(1000);
    reject(error);
  }

  #settle(id, how) {
    const entry = this.#pending.get(id);
    if (!entry) return;
    clearTimeout(entry.timer);
    this.#pending.delete(id);
    how(entry);
  }

  #forget(error) {
    for (const id of [...this.#pending.keys()]) this.#settle(id, ({ reject }) => reject(error));
  }

  #transmit(entry) {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => this.#abandon(), ackTime);
    this.#socket.send(JSON.stringify(entry.message));
  }

  // Nothing was received for a long time. Only an answer shows whether the connection still works.
  #probe() {
    if (this.#online) this.request({ type: 'ping' }).catch(() => {});
  }

  // A dead connection may take minutes until its close event, so we do not wait for that.
  #abandon() {
    this.#socket?.close(abandoned);
    this.#lost();
  }

  #drop() {
    this.#socket = null;
    this.#online = false;
    clearTimeout(this.#deadline);
    clearTimeout(this.#idle);
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
  }

  #lost() {
    if (!this.#socket) return;
    const was = this.#online;
    this.#drop();
    if (this.#first) {
      this.#giveUp(new SignalingError('unreachable'));
      return;
    }
    if (!this.#membership) return;
    const longest = this.#attempts < delays.shortFor ? delays.short : delays.long;
    const delay = Math.min(firstDelay * 2 ** this.#attempts, longest);
    this.#attempts += 1;
    this.#retry = setTimeout(() => this.#connect(), delay * (0.75 + Math.random() / 2));
    if (was) this.#emit('line', { online: false });
  }

  #hurry() {
    if (this.#retry) this.#connect();
    else this.#probe();
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}
