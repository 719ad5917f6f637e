// The connection to one other page. It uses perfect negotiation over any carrier of signals. Three m-lines
// exist from the start (microphone, camera, screen), so that to switch one is a replaceTrack, and there is a
// data channel for talk. Of two pages, the one with the greater `load` makes the first offer; the other page
// is polite. Events: state · track { kind, track } · message { … } · channel { channel } · path
import { judgePath, turnAddresses } from './path.mjs';

const kinds = ['microphone', 'camera', 'screen'];
const patience = 2500; // ms to wait for a connection that is only disconnected
const silence = 5500; // ms without data-channel messages, after which the other page counts as dead
const heartbeat = 1500;
const answerTime = 10_000;
const mostEarlyCandidates = 64;
const udpWait = 1500; // ms on a relay over TCP, before a search for one over UDP
const mostUdpTries = 2;

export class Peer extends EventTarget {
  initiator;
  id; // of the connection: the offering side makes it, the other side takes it from the first offer
  since = performance.now();
  path = null;
  lastHeard = 0;
  #connection;
  #talk;
  #send;
  #iceServers;
  #offering = false;
  #offeredAt = 0;
  #ignoring = false;
  #started = false; // the first description was exchanged, or we are the side that offers
  #work = Promise.resolve(); // signals are processed one after another
  #early = []; // candidates that came before their description
  #known = []; // candidates of the other side, which path.mjs uses
  #restart = 0;
  #udpSearch = 0;
  #udpTries = 0;
  #pulse = 0;
  #canSignal = true;
  #wantsRestart = false;
  #wasConnected = false;
  #waiting = null; // tracks to send after the first offer of the other side
  #watched = null;

  // `send` carries a signal to the other page; `tracks` are sent from the start.
  constructor({ id, initiator, configuration, tracks, send }) {
    super();
    this.id = id;
    this.initiator = initiator;
    this.#send = signal => send({ ...signal, connection: id });
    this.#iceServers = configuration.iceServers;
    const connection = new RTCPeerConnection({ ...configuration, bundlePolicy: 'max-bundle' });
    this.#connection = connection;
    this.#started = initiator;

    connection.addEventListener('negotiationneeded', () => this.#offer());
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate) this.#send({ candidate });
    });
    connection.addEventListener('connectionstatechange', () => this.#stateChanged());
    connection.addEventListener('iceconnectionstatechange', () => this.#stateChanged());
    connection.addEventListener('track', ({ transceiver, track }) =>
      this.#emit('track', { kind: this.#kindOf(transceiver), track }));
    connection.addEventListener('datachannel', ({ channel }) => this.#emit('channel', { channel }));

    if (initiator) {
      for (const kind of kinds) {
        const transceiver = connection.addTransceiver(kind === 'microphone' ? 'audio' : 'video');
        transceiver.sender.replaceTrack(tracks[kind]);
      }
    } else {
      this.#waiting = tracks;
    }
    this.#openTalk();
  }

  get connection() { return this.#connection; }
  get state() { return this.#connection.connectionState; }
  get connected() { return this.state === 'connected'; }
  get canTalk() { return this.#talk.readyState === 'open'; }
  get alive() { return this.connected && performance.now() - this.lastHeard < silence; }

  // Whether our offer has had no answer for a long time, although the line was up.
  unanswered(onlineSince) {
    return this.initiator && this.#connection.signalingState === 'have-local-offer'
      && performance.now() - Math.max(this.#offeredAt, onlineSince) > answerTime;
  }

  // Sends another track, or none, without a negotiation.
  async replace(kind, track) {
    if (this.#waiting) this.#waiting = { ...this.#waiting, [kind]: track };
    const sender = this.#sender(kind);
    if (sender && sender.track !== track) await sender.replaceTrack(track).catch(() => {}); // it is closed
  }

  // Limits the bits per second; `scale` divides width and height.
  async limit(kind, maxBitrate, scale = 1) {
    const sender = this.#sender(kind);
    const parameters = sender?.getParameters();
    const encoding = parameters?.encodings?.[0];
    if (!encoding || (encoding.maxBitrate === maxBitrate && (encoding.scaleResolutionDownBy ?? 1) === scale))
      return;
    encoding.maxBitrate = maxBitrate;
    encoding.scaleResolutionDownBy = scale;
    await sender.setParameters(parameters).catch(() => {}); // the next change of the call tries again
  }

  // Makes the encoder send a key frame to the other side, which would otherwise wait for seconds before it
  // asks for one.
  async refresh() {
    for (const kind of ['camera', 'screen']) {
      const sender = this.#sender(kind);
      const parameters = sender?.track && sender.getParameters();
      if (!parameters?.encodings?.length) continue;
      const encodingOptions = parameters.encodings.map(() => ({ keyFrame: true }));
      await sender.setParameters(parameters, { encodingOptions }).catch(() => {});
    }
  }

  configure(configuration) {
    this.#iceServers = configuration.iceServers;
    try {
      this.#connection.setConfiguration({ ...configuration, bundlePolicy: 'max-bundle' });
    } catch { /* it is closed */ }
  }

  restartIce() {
    clearTimeout(this.#restart);
    this.#restart = 0;
    if (!this.#canSignal || !this.#started) {
      this.#wantsRestart = true;
      return;
    }
    this.#wantsRestart = false;
    this.#udpTries = 0; // the network may be another one now
    this.#connection.restartIce();
  }

  // The line to the other page is up or down. While it is down, no offer is made, since nobody would receive
  // it.
  set canSignal(can) {
    this.#canSignal = can;
    if (can && this.#wantsRestart) this.restartIce();
    if (can) this.#stateChanged();
  }

  // The other page has come back with a new id and may have missed signals: start again from a clean state.
  async recover({ restart }) {
    await this.#enqueue(async () => {
      if (this.#connection.signalingState === 'have-local-offer') {
        await this.#connection.setLocalDescription({ type: 'rollback' });
        restart = true;
      }
    });
    if (restart && this.initiator) this.restartIce();
  }

  receive({ description, candidate }) {
    return this.#enqueue(async () => {
      if (description) await this.#describe(description);
      else if (candidate) await this.#candidate(candidate);
    });
  }

  say(message) {
    if (!this.canTalk) return false;
    this.#talk.send(JSON.stringify(message));
    return true;
  }

  openChannel(name) {
    return this.#connection.createDataChannel(name);
  }

  // The largest message that the other side accepts, but limited, because a large one would delay the chat.
  get chunkSize() { return Math.min(32 * 1024, this.#connection.sctp?.maxMessageSize || 16 * 1024); }

  // The present loudness of the other side, from the headers of its RTP packets.
  get loudness() {
    const { receiver } = this.#transceiver('microphone') ?? {};
    return receiver?.getSynchronizationSources?.()[0]?.audioLevel ?? 0;
  }

  async statistics() {
    const stats = await this.#connection.getStats();
    this.#judge(stats);
    return stats;
  }

  close() {
    clearTimeout(this.#restart);
    clearTimeout(this.#udpSearch);
    clearInterval(this.#pulse);
    this.#connection.close();
  }

  #openTalk() {
    this.#talk = this.#connection.createDataChannel('talk', { negotiated: true, id: 0 });
    this.#talk.addEventListener('open', () => {
      this.lastHeard = performance.now();
      this.#pulse = setInterval(() => this.say({ type: 'alive' }), heartbeat);
      this.#emit('state');
    });
    this.#talk.addEventListener('close', () => {
      clearInterval(this.#pulse);
      this.#emit('state');
    });
    this.#talk.addEventListener('message', ({ data }) => {
      this.lastHeard = performance.now();
      const message = parse(data);
      if (message && message.type !== 'alive') this.#emit('message', message);
    });
  }

  async #offer() {
    if (!this.#started) return; // the transceivers for the other side's first offer need no offer of ours
    try {
      this.#offering = true;
      await this.#connection.setLocalDescription();
      this.#offeredAt = performance.now();
      this.#send({ description: this.#connection.localDescription });
    } catch (error) {
      if (this.state !== 'closed' && this.#connection.signalingState === 'stable')
        console.warn(`negotiation: ${error}`);
    } finally {
      this.#offering = false;
    }
  }

  async #describe(description) {
    const connection = this.#connection;
    const collision = description.type === 'offer'
      && (this.#offering || connection.signalingState !== 'stable');
    this.#ignoring = this.initiator && collision;
    if (this.#ignoring) return;
    if (description.type === 'answer' && connection.signalingState !== 'have-local-offer') return; // too late
    await connection.setRemoteDescription(description);
    this.#started = true;
    if (description.type === 'offer') {
      await this.#adopt();
      await connection.setLocalDescription();
      this.#send({ description: connection.localDescription });
    }
    const early = this.#early;
    this.#early = [];
    for (const candidate of early) await this.#candidate(candidate);
    this.#watchPath();
    this.#emit('state');
  }

  // The first answer of the polite side uses the transceivers of the offer.
  async #adopt() {
    if (!this.#waiting) return;
    const tracks = this.#waiting;
    this.#waiting = null;
    for (const [index, transceiver] of this.#connection.getTransceivers().entries()) {
      transceiver.direction = 'sendrecv';
      await transceiver.sender.replaceTrack(tracks[kinds[index]] ?? null);
    }
  }

  async #candidate(candidate) {
    const { remoteDescription } = this.#connection;
    const known = remoteDescription && (!candidate.usernameFragment
      || remoteDescription.sdp.includes(`a=ice-ufrag:${candidate.usernameFragment}`));
    if (!known) {
      if (!this.#ignoring) this.#early = [...this.#early, candidate].slice(-mostEarlyCandidates);
      return;
    }
    const { address, port, type } = new RTCIceCandidate(candidate);
    if (address) this.#known = [...this.#known, { address, port, type }].slice(-mostEarlyCandidates);
    await this.#connection.addIceCandidate(candidate).catch(() => {}); // of an address family we do not have
  }

  #stateChanged() {
    const { connectionState, iceConnectionState } = this.#connection;
    if (connectionState === 'closed') return;
    if (connectionState === 'connected' && iceConnectionState !== 'disconnected') {
      clearTimeout(this.#restart);
      this.#restart = 0;
      this.#wantsRestart = false;
      if (this.#wasConnected) this.refresh();
      this.#wasConnected = true;
      this.statistics().catch(() => {});
    } else if (connectionState === 'failed') {
      if (!this.#restart) this.#restartAfter(this.initiator ? 0 : patience);
    } else if (iceConnectionState === 'disconnected' && !this.#restart) {
      this.#restartAfter(this.initiator ? patience : 2 * patience);
    }
    this.#emit('state');
  }

  #restartAfter(delay) {
    this.#restart = setTimeout(() => {
      this.#restart = 0;
      if (!this.connected) this.restartIce();
    }, delay);
  }

  // Searches a path over UDP when we use a relay over TCP or TLS. A browser ends its search at the first path
  // that works, so one lost or late UDP datagram can keep a whole call on TCP. Media continues meanwhile.
  #seekUdp() {
    const { path, transport, ownRelay } = this.path;
    if (path !== 'relay' || !ownRelay || transport === 'udp') {
      clearTimeout(this.#udpSearch);
      this.#udpSearch = 0;
    } else if (!this.#udpSearch && this.#udpTries < mostUdpTries) {
      this.#udpSearch = setTimeout(() => {
        this.#udpSearch = 0;
        if (!this.connected || !this.#canSignal) return;
        this.#udpTries++;
        this.#connection.restartIce();
      }, udpWait);
    }
  }

  #watchPath() {
    const transport = this.#connection.getReceivers()[0]?.transport?.iceTransport;
    if (!transport || transport === this.#watched) return;
    this.#watched = transport;
    transport.addEventListener?.('selectedcandidatepairchange', () => {
      this.statistics().catch(() => {});
      if (this.#wasConnected) this.refresh();
    });
  }

  #judge(stats) {
    const known = this.#known;
    const path = judgePath(stats, { known, servers: turnAddresses(this.#iceServers) });
    if (!path) return;
    const changed = path.path !== this.path?.path || path.transport !== this.path?.transport
      || path.ownRelay !== this.path?.ownRelay;
    this.path = path;
    this.#seekUdp();
    if (changed) this.#emit('path');
  }

  #transceiver(kind) { return this.#connection.getTransceivers()[kinds.indexOf(kind)]; }

  #sender(kind) { return this.#waiting ? undefined : this.#transceiver(kind)?.sender; }

  #kindOf(transceiver) { return kinds[this.#connection.getTransceivers().indexOf(transceiver)]; }

  #enqueue(step) {
    this.#work = this.#work.then(step).catch(error => {
      if (this.state !== 'closed') console.warn(`negotiation: ${error}`);
    });
    return this.#work;
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function parse(data) {
  try {
    const message = JSON.parse(data);
    return typeof message?.type === 'string' ? message : null;
  } catch {
    return null;
  }
}
