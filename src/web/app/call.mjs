// The mesh of a call: the people in the room, one Peer to each of them, and the recovery after a lost
// signaling line.
// Events, with { person } in their detail where one is meant:
//   person-joined · person-changed · person-left { person, reason } · person-track { person, kind }
//   person-message { person, message } · person-channel { person, channel }
//   person-sample { person, sample } · people · line { online } · refused { code } · token { code }
import { identity } from './identity.mjs';
import { stepFor } from './ladder.mjs';
import { compare, read } from './meter.mjs';
import { Peer } from './peer.mjs';
import { Person } from './person.mjs';
import { randomId } from './random.mjs';
import { Signaling } from './signaling.mjs';

const graceForStrangers = 2000; // a member who joins after a restart of the server may be somebody we know
const graceForMissing = 15_000; // how long a person who was here before the restart may take to come back
const graceForFormer = 8000; // how long a new connection may take to replace one that works
const justMade = 3000;
const graceForSilent = 12_000; // how long a new member may take until they are said to be silent
const longestMessage = 60 * 1024;

export class Call extends EventTarget {
  room = '';
  token = undefined; // the token that we came with, or that we have got since
  refused = false; // the server has refused us permanently
  name = '';
  self = null;
  people = new Set();
  iceServers = [];
  relayOnly = false;
  #signaling;
  #media;
  #members = new Map(); // id → name, as the server reports them
  #stateTold = '';
  #backSince = 0;
  #onlineSince = 0;
  #timers = [];

  constructor(url, media) {
    super();
    this.#media = media;
    const signaling = new Signaling(url);
    this.#signaling = signaling;
    const on = (type, handler) => signaling.addEventListener(type, ({ detail }) => handler(detail));
    on('joined', message => this.#entered(message));
    on('peer-joined', ({ peer }) => this.#memberJoined(peer));
    on('peer-renamed', ({ id, name }) => this.#memberRenamed(id, name));
    on('peer-left', ({ id, reason }) => this.#memberLeft(id, reason));
    on('signal', ({ from, data }) => this.#signaled(from, data));
    on('ice-servers', message => this.#renewServers(message.iceServers));
    on('going-away', ({ deadline }) => this.#emit('ending', { deadline }));
    on('line', detail => this.#line(detail));
    on('refused', detail => {
      this.refused = true;
      this.#emit('refused', detail);
    });
    on('token', detail => this.#emit('token', detail));
  }

  get online() { return this.#signaling.online; }
  get hasRelay() {
    return this.iceServers.some(({ urls }) => [urls].flat().some(url => /^turns?:/i.test(url)));
  }

  async join({ room, name, token }) {
    this.room = room;
    this.token = token;
    this.name = name;
    await this.#signaling.join({ room, name, token });
    this.#media.addEventListener('change', this.#mediaChanged);
    this.#timers = [setInterval(() => this.#sample(), 1000), setInterval(() => this.#check(), 500)];
  }

  // Rejects with a SignalingError when the server does not take the token.
  async renew(token) {
    await this.#signaling.renew(token);
    this.token = token;
  }

  leave() {
    for (const timer of this.#timers) clearInterval(timer);
    this.#media.removeEventListener('change', this.#mediaChanged);
    this.tell({ type: 'bye' });
    this.#signaling.leave();
    const people = [...this.people];
    setTimeout(() => people.forEach(person => person.close()), 150); // after the goodbye was sent
    this.people.clear();
  }

  // To allow all paths again, an ICE restart is enough, since better candidate pairs win. To leave a direct
  // pair that works, it is not enough (Chromium keeps the pair with the highest priority), so new connections
  // are made.
  setRelayOnly(on) {
    if (this.relayOnly === on) return;
    this.relayOnly = on;
    for (const person of this.people) {
      person.peer?.configure(this.#configuration());
      if (!on) person.peer?.restartIce();
      else if (person.load) this.#renew(person);
    }
  }

  #renew(person) {
    if (this.#offersTo(person)) this.#connect(person, randomId());
    else if (person.member) this.#signal(person.member, { renew: true });
  }

  // Sends to everyone who can receive it now; returns their number.
  tell(message) {
    return [...this.people].filter(person => person.say(message)).length;
  }

  get listeners() { return [...this.people].filter(({ canTalk }) => canTalk); }

  #configuration() {
    return { iceServers: this.iceServers, iceTransportPolicy: this.relayOnly ? 'relay' : 'all' };
  }

  #useServers(iceServers) {
    this.iceServers = iceServers;
    for (const { peer } of this.people) peer?.configure(this.#configuration());
    this.#emit('people');
  }

  // A relayed address ends with the credentials that made it, so it is replaced by one with the new
  // credentials.
  #renewServers(iceServers) {
    this.#useServers(iceServers);
    for (const { peer } of this.people) if (peer?.path?.ownRelay) peer.restartIce();
  }

  #entered({ self, peers, iceServers, resumed }) {
    this.self = self;
    if (!resumed) this.#backSince = performance.now();
    if (iceServers) this.#useServers(iceServers); // the server sends none after the token has expired
    this.#members = new Map(peers.map(({ id, name }) => [id, name]));
    for (const person of [...this.people]) {
      if (resumed && this.#members.has(person.member)) continue;
      if (resumed || person.load) this.#miss(person, resumed ? 'lost' : 'restart');
      else this.#remove(person, 'left'); // this member has never introduced itself
    }
    for (const person of this.people) if (person.peer) person.peer.canSignal = Boolean(person.member);
    for (const { id, name } of peers) {
      this.#expect(id, name);
      this.#hello(id, true);
    }
    this.#emit('people');
  }

  #memberJoined({ id, name }) {
    this.#members.set(id, name);
    this.#expect(id, name);
    this.#emit('people');
  }

  // Makes a tile for a new member: at once, or later if the member may be somebody who comes back.
  #expect(id, name) {
    const show = () => {
      if (!this.#members.has(id) || this.#byMember(id)) return;
      this.#add(new Person(id, name));
    };
    if ([...this.people].some(({ missing }) => missing)) setTimeout(show, graceForStrangers);
    else show();
  }

  #memberRenamed(id, name) {
    if (this.#members.has(id)) this.#members.set(id, name);
    const person = this.#byMember(id);
    if (!person) return;
    person.name = name;
    this.#changed(person);
  }

  #memberLeft(id, reason) {
    this.#members.delete(id);
    const person = this.#byMember(id);
    if (person && reason === 'lost' && person.peer?.alive) this.#miss(person, 'lost');
    else if (person) this.#remove(person, reason);
    this.#emit('people');
  }

  #miss(person, why) {
    person.member = null;
    person.missing = why;
    if (person.peer) person.peer.canSignal = false;
    this.#changed(person);
  }

  #hello(to, ask) {
    const holds = {};
    for (const { load, peer } of this.people) if (peer?.id) holds[load] = peer.id;
    const relayed = [...this.people].filter(({ path }) => path?.path === 'relay').map(({ load }) => load);
    const hello = { ...identity, ask, holds, relayed, state: this.#state() };
    this.#signal(to, { hello });
  }

  #signal(to, data) {
    this.#signaling.signal(to, data).catch(() => {}); // they have left, or our line is down
  }

  #signaled(from, data) {
    if (data?.hello) {
      this.#greeted(from, data.hello);
      return;
    }
    const person = this.#byMember(from);
    if (person?.load && data?.renew && this.#offersTo(person)) this.#connect(person, randomId());
    if (!person || !data?.connection) return;
    if (data.description?.type === 'offer' && person.load && data.connection !== person.peer?.id
        && !this.#offersTo(person)) this.#connect(person, data.connection);
    if (person.peer?.id === data.connection) person.peer.receive(data);
  }

  #offersTo({ load }) { return identity.load > load; }

  #greeted(from, hello) {
    if (typeof hello.load !== 'string' || !this.#members.has(from)) return;
    const placeholder = this.#byMember(from);
    let person = [...this.people].find(({ load }) => load === hello.load);
    if (person && person.member && person.member !== from) return; // the member with this id is another page
    const missed = Boolean(person?.missing);
    if (person) {
      if (placeholder && placeholder !== person) this.#remove(placeholder, 'left');
    } else {
      person = placeholder?.load ? null : placeholder;
      if (placeholder && !person) this.#remove(placeholder, 'left'); // the member is another page
      this.#forgetEarlierLoads(hello);
      person ??= this.#add(new Person(from, this.#members.get(from)));
    }
    person.member = from;
    person.load = hello.load;
    person.instance = hello.instance;
    person.missing = null;
    person.name = this.#members.get(from);
    this.#takeState(person, hello.state);
    if (hello.ask) this.#hello(from, false);

    const held = hello.holds?.[identity.load];
    const young = !missed && person.peer && performance.now() - person.peer.since < justMade;
    if (person.peer) person.peer.canSignal = true;
    if (person.peer && person.peer.id === held) {
      const relayed = person.path?.path === 'relay'
        || (Array.isArray(hello.relayed) && hello.relayed.includes(identity.load));
      if (!young) person.peer.recover({ restart: !person.peer.connected || (missed && relayed) });
    } else if (this.#offersTo(person) && !young) {
      this.#connect(person, randomId());
    }
    this.#changed(person);
    this.#emit('people');
  }

  // Removes the persons of earlier loads of the same tab, which has come back after a reload.
  #forgetEarlierLoads({ instance, load }) {
    for (const person of [...this.people])
      if (instance && person.instance === instance && person.load !== load && !person.member)
        this.#remove(person, 'left');
  }

  #connect(person, id) {
    const { microphone, camera, screen } = this.#media;
    const peer = new Peer({
      id,
      initiator: this.#offersTo(person),
      configuration: this.#configuration(),
      tracks: { microphone, camera, screen },
      send: data => { if (person.member && person.peer === peer) this.#signal(person.member, data); },
    });
    person.former?.close();
    person.former = person.peer;
    person.peer = peer;
    person.reading = null;
    person.countsBefore = person.counts;
    const tracks = {};
    const adopt = () => {
      Object.assign(person.tracks, tracks);
      for (const kind of Object.keys(tracks)) this.#emit('person-track', { person, kind });
    };
    const takeOver = () => { // the former connection's picture and sound stay until then
      if (person.peer !== peer || !person.former) return;
      person.former.close();
      person.former = null;
      adopt();
    };
    if (person.former?.connected) setTimeout(takeOver, graceForFormer);
    else takeOver();
    const on = (type, handler, always) => peer.addEventListener(type, ({ detail }) => {
      if (person.peer === peer || (always && person.former === peer)) handler(detail);
    });
    let couldTalk = false;
    on('state', () => {
      if (peer.connected) takeOver();
      if (peer.connected) person.wasConnected = true;
      if (peer.canTalk && !couldTalk) {
        couldTalk = true;
        this.#tellState(person);
      }
      this.#changed(person);
      this.#ladder();
    });
    on('path', () => {
      this.#tellState(person);
      this.#changed(person);
    });
    on('track', ({ kind, track }) => {
      tracks[kind] = track;
      if (!person.former) adopt();
    });
    on('channel', ({ channel }) => this.#emit('person-channel', { person, channel }), true);
    on('message', message => this.#heard(person, message), true);
    this.#changed(person);
  }

  #heard(person, message) {
    if (message.type === 'bye') this.#remove(person, 'left');
    else if (message.type === 'state') this.#takeState(person, message.state, message);
    else this.#emit('person-message', { person, message });
  }

  #takeState(person, state, { name, relay } = {}) {
    if (typeof name === 'string') person.name = name.slice(0, 64);
    if (relay !== undefined) person.relayTransport = ['udp', 'tcp', 'tls'].includes(relay) ? relay : null;
    if (state && typeof state === 'object') {
      const { microphone, camera, screen } = state;
      person.state = { microphone: Boolean(microphone), camera: Boolean(camera), screen: Boolean(screen) };
    }
    this.#changed(person);
  }

  #state() {
    const { microphoneOn, cameraOn, screenOn } = this.#media;
    return { microphone: microphoneOn, camera: cameraOn, screen: screenOn };
  }

  #tellState(person) {
    const { path, ownRelay, transport } = person.peer?.path ?? {};
    const relay = path === 'relay' && ownRelay ? transport : null;
    person.say({ type: 'state', ...identity, name: this.name, state: this.#state(), relay });
  }

  #mediaChanged = () => {
    const { microphone, camera, screen } = this.#media;
    for (const [kind, track] of Object.entries({ microphone, camera, screen }))
      for (const { peer } of this.people) peer?.replace(kind, track);
    const state = JSON.stringify(this.#state());
    if (state === this.#stateTold) return;
    this.#stateTold = state;
    for (const person of this.people) if (person.canTalk) this.#tellState(person);
    this.#ladder();
  };

  #ladder() {
    const connected = [...this.people].filter(({ peer }) => peer?.connected);
    const { camera, scale, screen } = stepFor(connected.length);
    for (const { peer } of connected) {
      peer.limit('camera', camera, scale);
      peer.limit('screen', screen);
    }
  }

  #line({ online }) {
    this.#onlineSince = performance.now();
    if (!online) for (const { peer } of this.people) if (peer) peer.canSignal = false;
    this.#emit('line', { online });
  }

  #add(person) {
    this.people.add(person);
    this.#emit('person-joined', { person });
    return person;
  }

  #remove(person, reason) {
    if (!this.people.delete(person)) return;
    person.close();
    this.#emit('person-left', { person, reason });
    this.#emit('people');
    this.#ladder();
  }

  // A person whom the server does not know stays while they can be heard. After a restart of the server, the
  // silent ones get some time to come back too: their connection may have used a relay that has ended.
  #check() {
    if (!this.online) return;
    for (const person of this.people)
      if (person.member && person.peer?.unanswered(this.#onlineSince)) this.#renew(person);
    for (const person of this.people) {
      const silent = person.status === 'connecting' && performance.now() - person.since > graceForSilent;
      if (silent === person.silent) continue;
      person.silent = silent;
      this.#changed(person);
    }
    const stillEarly = performance.now() - this.#backSince < graceForMissing;
    for (const person of [...this.people]) {
      if (!person.missing || person.peer?.alive) continue;
      if (person.missing === 'lost' || !stillEarly) this.#remove(person, 'lost');
    }
  }

  async #sample() {
    await Promise.all([...this.people].map(async person => {
      if (!person.peer || person.peer.state === 'closed') return;
      const peer = person.peer;
      const now = read(await peer.statistics());
      if (person.peer !== peer) return;
      const sample = person.reading && compare(person.reading, now);
      person.reading = now;
      const { framesDecoded, audioPackets, audioEnergy } = now;
      person.counts = add(person.countsBefore, { framesDecoded, audioPackets, audioEnergy });
      if (sample) person.samples = [...person.samples, sample].slice(-60);
      this.#emit('person-sample', { person, sample });
    })).catch(() => {}); // a connection was closed meanwhile
  }

  #byMember(id) {
    return [...this.people].find(({ member }) => member === id);
  }

  #changed(person) {
    if (this.people.has(person)) this.#emit('person-changed', { person });
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}

const add = (before, now) => Object.fromEntries(
  Object.entries(now).map(([name, value]) => [name, value + (before[name] ?? 0)]));

export const fits = message => JSON.stringify(message).length < longestMessage;
