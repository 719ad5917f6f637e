import { plainLine } from './plain.mjs';

// Another page in the room. `member` is its id on the server and changes when the server restarts. `instance`
// identifies its tab and `load` the page itself; these do not change.
export class Person {
  member = null;
  instance = null;
  load = null;
  #name = '';
  peer = null;
  former = null; // the previous Peer, which carries the call until the present one is connected
  wasConnected = false;
  since = performance.now();
  silent = false; // whether they could not be connected for a long time
  state = { microphone: false, camera: false, screen: false };
  relayTransport = null; // transport between the other side and its relay, if it uses one
  missing = null; // 'lost' or 'restart': why the server does not know the person now
  tracks = {};
  samples = [];
  reading = null;
  counts = {}; // frames, packets and energy of all connections to this person
  countsBefore = {}; // the counts of the earlier connections

  constructor(member, name) {
    this.member = member;
    this.name = name;
  }

  get name() { return this.#name; }
  set name(name) { this.#name = plainLine(name); }

  // Sends over the data channel; returns whether that was possible.
  say(message) { return Boolean(this.peer?.say(message) || this.former?.say(message)); }

  get canTalk() { return Boolean(this.peer?.canTalk || this.former?.canTalk); }

  close() {
    this.former?.close();
    this.peer?.close();
  }

  get status() {
    const { connection, connected } = this.peer ?? {};
    if ((connected && connection.iceConnectionState !== 'disconnected') || this.former?.connected)
      return 'connected';
    return this.wasConnected ? 'reconnecting' : 'connecting';
  }

  // { path, transport } for the badge. When only the other side uses a relay, its transport is shown.
  get path() {
    const path = this.peer?.path ?? this.former?.path;
    if (!path) return null;
    // A browser hides the address of a candidate that was not signaled, so only the other side knows about
    // its relay.
    if (path.path === 'nat' && this.relayTransport)
      return { ...path, path: 'relay', transport: this.relayTransport };
    const transport = path.path === 'relay' && !path.ownRelay
      ? this.relayTransport ?? path.transport
      : path.transport;
    return { ...path, transport };
  }
}
