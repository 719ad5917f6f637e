// One page in the room: `member` is its id on the server, which changes when the server restarts, `instance`
// its tab and `load` the page itself, which do not.
export class Person {
  member = null;
  instance = null;
  load = null;
  name = '';
  peer = null;
  former = null; // the Peer before this one, which carries the call until this one is connected
  wasConnected = false;
  state = { microphone: false, camera: false, screen: false };
  relayTransport = null; // how the other side reaches its relay, if it uses one
  missing = null; // 'lost' or 'restart': why the server does not know them at the moment
  tracks = {};
  samples = [];
  reading = null;
  counts = {}; // frames, packets and energy of all connections to this person so far
  countsBefore = {}; // of those before the present one

  constructor(member, name) {
    this.member = member;
    this.name = name;
  }

  // Over the data channel; tells whether it could be sent.
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

  // { path, transport } for the badge: where only the other side relays, its transport is the telling one.
  get path() {
    const path = this.peer?.path ?? this.former?.path;
    if (!path) return null;
    // A browser hides the address of a candidate that was not signaled, so only the other side knows of its relay.
    if (path.path === 'nat' && this.relayTransport)
      return { ...path, path: 'relay', transport: this.relayTransport };
    const transport = path.path === 'relay' && !path.ownRelay
      ? this.relayTransport ?? path.transport
      : path.transport;
    return { ...path, transport };
  }
}
