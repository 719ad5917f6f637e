// The page before the call: preview, devices, room and name. Calls join({ room, name, bare }) when the person
// is ready.
import { byId, element, isPaused, pause, setData } from '../app/dom.mjs';
import { onLanguage, say } from '../app/language.mjs';
import { watchLevel } from '../app/level.mjs';
import { isTooLong, proposeRoom, readLink, roomLimit } from '../app/link.mjs';
import { recall, remember } from '../app/settings.mjs';
import { troubleKey } from './controls.mjs';
import { iconSpan } from './icons.mjs';

export class Lobby {
  #media;
  #join;
  #starting = false;
  #stopLevel = () => {};
  #levelOf = null;
  #noted = '';
  #open = false;

  constructor(media, join) {
    this.#media = media;
    this.#join = join;
    media.addEventListener('change', () => this.#show());
    byId('join-form').addEventListener('submit', event => {
      event.preventDefault();
      this.#submit(false);
    });
    byId('join-bare').addEventListener('click', () => {
      if (byId('join-form').reportValidity()) this.#submit(true);
    });
    byId('another-room').addEventListener('click', () => { byId('room').value = proposeRoom(); });
    byId('preview-video').addEventListener('loadeddata', () => this.#show());
    byId('name').value = recall('name') ?? '';
    onLanguage(() => { this.#noted = ''; this.#show(); });
  }

  // `left` is the room that the person has just left.
  open({ left } = {}) {
    this.#open = true;
    byId('lobby').hidden = false;
    document.title = 'turnpike';
    this.problem(null);
    this.followLink();
    if (left) {
      say(byId('lobby-lead'), 'call.left', { room: left });
      byId('lobby-title').focus({ preventScroll: true });
    }
    this.#starting = true;
    this.#show();
    this.#media.start().then(() => {
      this.#starting = false;
      this.#show();
    });
  }

  close() {
    this.#open = false;
    byId('lobby').hidden = true;
    byId('preview-video').srcObject = null;
    this.#watch(null);
  }

  followLink() {
    const { room } = readLink();
    const wrong = isTooLong(room);
    byId('room').value = wrong ? '' : room || proposeRoom();
    say(byId('lobby-lead'), wrong ? null : room ? 'lobby.leadInvited' : 'lobby.leadNew', { room });
    say(byId('join-problem'), wrong ? 'lobby.roomTooLong' : null, { limit: roomLimit });
  }

  problem(key, values) {
    say(byId('join-problem'), key, values);
    this.#busy(false);
  }

  async #submit(bare) {
    if (isPaused(byId('join'))) return;
    const room = byId('room').value.trim();
    const name = byId('name').value.trim();
    if (!room) {
      byId('room').value = '';
      byId('room').reportValidity();
      return;
    }
    remember('name', name);
    this.problem(null);
    this.#busy(true);
    await this.#join({ room, name, bare });
    this.#busy(false);
  }

  #busy(busy) {
    for (const id of ['join', 'join-bare']) pause(byId(id), busy);
    say(byId('join'), busy ? 'lobby.joining' : 'lobby.join');
  }

  #show() {
    if (!this.#open) return;
    const { camera, cameraOn, microphone, microphoneOn, trouble, wantsCamera } = this.#media;
    const video = byId('preview-video');
    if (video.srcObject?.getVideoTracks()[0] !== camera)
      video.srcObject = camera ? new MediaStream([camera]) : null;
    setData(byId('preview'), { camera: cameraOn ? 'on' : 'off', microphone: microphoneOn ? 'on' : 'off' });
    const text = this.#starting && wantsCamera ? 'lobby.starting'
      : trouble.video && wantsCamera ? 'lobby.noCamera' : 'lobby.cameraOff';
    say(byId('preview-text'), text);
    setData(byId('meter'), { state: microphoneOn ? 'on' : 'off' });
    this.#watch(microphone);
    if (!this.#starting) this.#note(trouble, wantsCamera);
  }

  #watch(track) {
    if (this.#levelOf === track) return;
    this.#stopLevel();
    this.#levelOf = track;
    const meter = byId('meter');
    const tell = level => {
      meter.style.setProperty('--level', level.toFixed(3));
      meter.setAttribute('aria-valuenow', Math.round(level * 100));
    };
    tell(0);
    this.#stopLevel = watchLevel(track, tell);
  }

  // One message for each trouble, or one message when both devices have the same trouble.
  #note({ audio, video }, wantsCamera) {
    const camera = wantsCamera ? video : null;
    const text = JSON.stringify([audio, camera]);
    if (text === this.#noted) return;
    this.#noted = text;
    const keys = audio && audio === camera ? [troubleKey('both', audio)]
      : [camera && troubleKey('video', camera), audio && troubleKey('audio', audio)].filter(Boolean);
    const notes = keys.map((key, index) => element('div', { class: 'note', 'data-note': key },
      iconSpan('warning'),
      element('div', {},
        say(element('p'), key),
        index === keys.length - 1 && say(element('p', { class: 'fine' }), 'lobby.alone'),
        index === keys.length - 1 && !key.includes('insecure') && say(element('button', {
          type: 'button', class: 'plain', 'data-testid': 'retry', onclick: () => this.#media.retry(),
        }), 'lobby.retry'))));
    byId('device-notes').replaceChildren(...notes);
  }
}
