// The microphone, camera and screen of this person. A muted microphone stays open and sends silence. A camera
// that is switched off is closed, so that its light goes out. Events: change (tracks or states), trouble {
// kind, code }.
import { recall, remember } from './settings.mjs';

const wishes = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
};
const inputs = { audio: 'audioinput', video: 'videoinput' };

const isPossible = () => isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);

export class LocalMedia extends EventTarget {
  microphone = null; // MediaStreamTrack or null
  camera = null;
  screen = null;
  wantsMicrophone = recall('microphone') !== 'off';
  wantsCamera = recall('camera') !== 'off';
  trouble = { audio: null, video: null }; // why a device is missing: one of the codes below
  devices = { audio: [], video: [] };
  #busy = Promise.resolve(); // devices are opened one after another
  #declined = false; // the result of opening devices is no longer wanted
  #screenAsked = 0; // how often; only the last answer counts

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#devicesChanged());
  }

  get microphoneOn() { return Boolean(this.microphone) && this.microphone.enabled; }
  get cameraOn() { return Boolean(this.camera); }
  get screenOn() { return Boolean(this.screen); }

  // Opens the wanted devices that exist. It never rejects: failures are in `trouble`.
  start() {
    this.#declined = false;
    return this.#inTurn(async () => {
      await this.#listDevices();
      if (!isPossible()) {
        this.trouble = { audio: 'insecure', video: 'insecure' };
        return;
      }
      const needed = ['audio', 'video'].filter(kind =>
        kind === 'audio' ? !this.microphone : this.wantsCamera && !this.camera);
      const there = needed.filter(kind => this.devices[kind].length);
      for (const kind of needed) this.trouble[kind] = there.includes(kind) ? null : 'missing';
      if (there.length === 2 && await this.#open(there)) return; // one question to the person instead of two
      for (const kind of there) await this.#open([kind]);
    });
  }

  setMicrophone(on) {
    if (on) this.#declined = false;
    this.wantsMicrophone = on;
    remember('microphone', on ? 'on' : 'off');
    if (this.microphone) {
      this.microphone.enabled = on;
      this.#changed();
      return Promise.resolve();
    }
    return on ? this.#inTurn(() => this.#reopen('audio')) : Promise.resolve();
  }

  setCamera(on) {
    if (on) this.#declined = false;
    this.wantsCamera = on;
    remember('camera', on ? 'on' : 'off');
    if (!on) {
      return this.#inTurn(() => this.#close('video'));
    }
    return this.#inTurn(() => this.camera ? null : this.#reopen('video'));
  }

  // Changes the camera or microphone. A phone can open only one camera at a time, so the old one is closed
  // first, and opened again if the new one fails.
  choose(kind, deviceId) {
    const before = recall(`device.${kind}`);
    remember(`device.${kind}`, deviceId);
    if (kind === 'video' && !this.wantsCamera) return Promise.resolve();
    return this.#inTurn(async () => {
      this.#close(kind);
      if (await this.#open([kind]) || !before) return;
      const why = this.trouble[kind];
      remember(`device.${kind}`, before);
      if (await this.#open([kind])) this.#report(kind, why);
    });
  }

  async setScreen(on) {
    this.#screenAsked += 1;
    const asked = this.#screenAsked;
    if (!on) {
      this.screen?.stop();
      this.screen = null;
      this.#changed();
      return;
    }
    if (!navigator.mediaDevices?.getDisplayMedia) {
      this.#report('screen', 'unsupported');
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } } });
      const [track] = stream.getVideoTracks();
      if (asked !== this.#screenAsked) { // the person has left the call meanwhile
        track.stop();
        return;
      }
      this.screen?.stop();
      track.contentHint = 'detail';
      track.addEventListener('ended', () => { if (this.screen === track) this.setScreen(false); });
      this.screen = track;
      this.#changed();
    } catch (error) {
      if (asked === this.#screenAsked && error.name !== 'NotAllowedError') this.#report('screen', 'failed');
    }
  }

  // Gives up camera and microphone, whatever the person answers to the browser's question later.
  decline() {
    this.#declined = true;
    this.wantsMicrophone = this.wantsCamera = false;
    this.stop();
  }

  stop() {
    this.#screenAsked += 1;
    for (const track of [this.microphone, this.camera, this.screen]) track?.stop();
    this.microphone = this.camera = this.screen = null;
    this.#changed();
  }

  deviceOf(kind) {
    const track = kind === 'audio' ? this.microphone : this.camera;
    return track?.getSettings().deviceId ?? recall(`device.${kind}`);
  }

  // A newly connected camera or microphone is opened if one was missing, or when the person tries again.
  retry() {
    return this.#inTurn(async () => {
      if (!isPossible()) return;
      await this.#listDevices();
      if (!this.microphone) await this.#reopen('audio');
      if (!this.camera && this.wantsCamera) await this.#reopen('video');
    });
  }

  async #reopen(kind) {
    if (!isPossible()) return this.#fail([kind], 'insecure');
    await this.#listDevices();
    if (!this.devices[kind].length) return this.#fail([kind], 'missing');
    return this.#open([kind]);
  }

  async #open(kinds, anyDevice = false) {
    const constraints = {};
    for (const kind of kinds) {
      const known = this.devices[kind].map(({ deviceId }) => deviceId);
      const chosen = recall(`device.${kind}`);
      const exact = !anyDevice && chosen && known.includes(chosen) && { deviceId: { exact: chosen } };
      constraints[kind] = anyDevice ? true : { ...wishes[kind], ...exact };
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia(constraints);
      if (this.#declined) {
        for (const track of stream.getTracks()) track.stop();
        return true;
      }
      for (const track of stream.getTracks()) this.#take(track);
      await this.#listDevices(); // devices have names only after permission was given
      return true;
    } catch (error) {
      if (error.name === 'OverconstrainedError' && !anyDevice) return this.#open(kinds, true);
      if (kinds.length === 2) return false; // start() asks for each device separately
      this.#fail(kinds, await codeOf(error, kinds[0]));
      return false;
    }
  }

  #take(track) {
    const kind = track.kind;
    this.#close(kind, { quietly: true });
    this.trouble[kind] = null;
    if (kind === 'audio') {
      track.enabled = this.wantsMicrophone;
      this.microphone = track;
    } else {
      this.camera = track;
    }
    const device = track.getSettings();
    track.addEventListener('ended', () => {
      if (track === this.microphone || track === this.camera) this.#ended(kind, device);
    });
    this.#changed();
  }

  // The device was unplugged, or permission was withdrawn. When the device no longer exists, another one is
  // opened. The browser may report the change of devices before or after this.
  #ended(kind, { deviceId, groupId }) {
    // The default device keeps its id when another device becomes it.
    const isIt = device => device.deviceId === deviceId && (!groupId || device.groupId === groupId);
    this.#close(kind, { quietly: true });
    this.#fail([kind], 'ended');
    this.#report(kind, 'ended');
    this.#inTurn(async () => {
      await this.#listDevices();
      if (deviceId && !this.devices[kind].some(isIt)) await this.#openMissed();
    });
  }

  #close(kind, { quietly = false } = {}) {
    const name = kind === 'audio' ? 'microphone' : 'camera';
    this[name]?.stop();
    this[name] = null;
    if (!quietly) this.#changed();
  }

  #fail(kinds, code) {
    for (const kind of kinds) this.trouble[kind] = code;
    this.#changed();
    return false;
  }

  async #listDevices() {
    let all = [];
    try {
      all = await navigator.mediaDevices?.enumerateDevices?.() ?? [];
    } catch { /* then there are none */ }
    for (const [kind, input] of Object.entries(inputs))
      this.devices[kind] = all.filter(device => device.kind === input);
  }

  #devicesChanged() {
    this.#inTurn(async () => {
      await this.#listDevices();
      await this.#openMissed();
      this.#changed();
    });
  }

  async #openMissed() {
    const missed = kind => ['missing', 'ended'].includes(this.trouble[kind]) && this.devices[kind].length;
    if (missed('audio')) await this.#open(['audio']);
    if (missed('video') && this.wantsCamera) await this.#open(['video']);
  }

  #inTurn(step) {
    this.#busy = this.#busy.then(step).catch(error => this.#report('audio', codeFromName(error.name)))
      .then(() => this.#changed());
    return this.#busy;
  }

  #changed() { this.dispatchEvent(new Event('change')); }

  #report(kind, code) {
    this.dispatchEvent(new CustomEvent('trouble', { detail: { kind, code } }));
  }
}

const codeFromName = name => ({
  NotFoundError: 'missing', DevicesNotFoundError: 'missing',
  NotReadableError: 'busy', TrackStartError: 'busy', AbortError: 'busy',
  NotAllowedError: 'denied', SecurityError: 'denied',
}[name] ?? 'failed');

// Distinguishes a refusal for now, a permanent refusal, and one by the operating system.
async function codeOf(error, kind) {
  const code = codeFromName(error.name);
  if (code !== 'denied') return code;
  if (/system/i.test(error.message)) return 'blocked-by-system';
  try {
    const name = kind === 'audio' ? 'microphone' : 'camera';
    const { state } = await navigator.permissions.query({ name });
    return state === 'prompt' ? 'dismissed' : 'denied';
  } catch {
    return 'denied';
  }
}
