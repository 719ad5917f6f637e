// The call on the screen: tiles, top line, banners and panels. Each Stage shows one call.
import { byId, element, setData } from '../app/dom.mjs';
import { crowdFrom } from '../app/ladder.mjs';
import { onLanguage, say, t } from '../app/language.mjs';
import { watchLevel } from '../app/level.mjs';
import { aboutToken } from '../app/signaling.mjs';
import { Chat } from './chat.mjs';
import { Invite } from './invite.mjs';
import { arrange } from './layout.mjs';
import { Tile } from './tile.mjs';
import { MergedToasts, toast } from './toast.mjs';

const audible = 0.03;
const linger = 700;

export class Stage {
  #call;
  #media;
  #invite;
  #chat;
  #views = new Map(); // Person → { camera: Tile, screen: Tile | null, audio }
  #self;
  #selfScreen = null;
  #alone = null;
  #heard = new Map(); // Tile → the time at which it was last loud
  #ownLevel = 0;
  #ownTrack = null;
  #stopLevel = () => {};
  #timer;
  #resize;
  #over = new AbortController();
  #departures = new MergedToasts('call.goneSeveral');
  #crowdSeen = false;

  constructor(call, media, { leave }) {
    this.#call = call;
    this.#media = media;
    this.#invite = new Invite(call);
    this.#chat = new Chat(call);
    const { signal } = this.#over;
    const on = (type, handler) =>
      call.addEventListener(type, ({ detail }) => handler(detail ?? {}), { signal });
    on('person-joined', ({ person }) => this.#joined(person));
    on('person-changed', ({ person }) => this.#showPerson(person));
    on('person-left', ({ person, reason }) => this.#left(person, reason));
    on('person-track', ({ person }) => this.#showPerson(person));
    on('person-sample', ({ person }) => this.#views.get(person)?.camera.sample(person));
    on('people', () => this.#showPeople());
    on('line', () => this.#showLine());
    on('ending', ({ deadline }) => toast('call.ending', { time: new Date(deadline).toLocaleTimeString() }));
    on('refused', ({ code }) => this.#refused(code));
    on('token', ({ code }) => this.#tokenLost(code));
    media.addEventListener('change', () => this.#showSelf(), { signal });
    addEventListener('offline', () => this.#showLine(), { signal });
    addEventListener('online', () => this.#showLine(), { signal });

    const click = (id, handler) => byId(id).addEventListener('click', handler, { signal });
    click('leave', leave);
    click('invite', () => this.#invite.copy());
    click('sound-start', () => this.#startSound());
    byId('crowd-note').querySelector('button').addEventListener('click', () => {
      this.#crowdSeen = true;
      byId('crowd-note').hidden = true;
    }, { signal });
    byId('relay-only').addEventListener('change', ({ target }) => {
      call.setRelayOnly(target.checked);
    }, { signal });
    for (const button of document.querySelectorAll('[data-panel]'))
      button.addEventListener('click', () => this.#panel(button.dataset.panel), { signal });
    for (const button of document.querySelectorAll('[data-close-panel]'))
      button.addEventListener('click', () => this.#panel(null), { signal });
    addEventListener('keydown', event => {
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) this.#panel(null);
    }, { signal });

    byId('lobby').hidden = true;
    byId('call').hidden = false;
    byId('room-name').textContent = call.room;
    document.title = `${call.room} · turnpike`;
    this.#self = new Tile({ kind: 'camera', self: true });
    byId('grid').replaceChildren(this.#self.node);
    this.#resize = new ResizeObserver(() => this.#arrange());
    this.#resize.observe(byId('grid'));
    this.#timer = setInterval(() => this.#listen(), 100);
    onLanguage(this.#translate);
    for (const person of call.people) this.#joined(person, { quietly: true });
    this.#showSelf();
    this.#showPeople();
    this.#showLine();
    byId('room-title').focus({ preventScroll: true });
  }

  close() {
    this.#over.abort();
    clearInterval(this.#timer);
    this.#departures.close();
    this.#stopLevel();
    this.#resize.disconnect();
    this.#panel(null);
    this.#chat.close();
    for (const { audio } of this.#views.values()) audio.srcObject = null;
    this.#views.clear();
    byId('grid').replaceChildren();
    for (const id of ['line-banner', 'token-banner', 'crowd-note', 'sound-banner', 'call'])
      byId(id).hidden = true;
  }

  #translate = () => {
    if (this.#over.signal.aborted) return;
    this.#showSelf();
    for (const person of this.#views.keys()) this.#showPerson(person);
    this.#showPeople();
  };

  #joined(person, { quietly = false } = {}) {
    const camera = new Tile({ kind: 'camera', self: false });
    camera.onfacts = () => {
      for (const view of this.#views.values()) if (view.camera !== camera) view.camera.hideFacts();
      this.#showPerson(person);
    };
    const audio = element('audio', { autoplay: true });
    this.#views.set(person, { camera, screen: null, audio });
    camera.node.append(audio);
    byId('grid').append(camera.node);
    this.#showPerson(person);
    this.#showPeople();
    if (!quietly) this.#chat.event('call.joined', { name: person.name || t('guest') });
  }

  #left(person, reason) {
    const view = this.#views.get(person);
    if (!view) return;
    this.#views.delete(person);
    this.#heard.delete(view.camera);
    view.audio.srcObject = null;
    view.camera.node.remove();
    view.screen?.node.remove();
    const key = reason === 'left' ? 'call.gone' : 'call.lost';
    this.#chat.event(key, { name: person.name || t('guest') });
    this.#departures.add(key, { name: person.name || t('guest') });
    this.#showPeople();
  }

  #showPerson(person) {
    const view = this.#views.get(person);
    if (!view) return;
    const { state, tracks, status, silent } = person;
    const name = person.name || t('guest');
    view.camera.show({
      name, shownName: name, microphone: state.microphone, camera: state.camera, state: status,
      track: tracks.camera, person, silent, away: person.missing === 'lost' && status === 'connected',
    });
    if (state.screen && tracks.screen) {
      if (!view.screen) {
        view.screen = new Tile({ kind: 'screen', self: false });
        byId('grid').append(view.screen.node);
      }
      view.screen.show({
        name, shownName: t('call.screenOf', { name }), microphone: true, camera: true, state: status,
        track: tracks.screen, person,
      });
    } else if (view.screen) {
      view.screen.node.remove();
      view.screen = null;
    }
    const [playing] = view.audio.srcObject?.getTracks() ?? [];
    if (tracks.microphone && playing !== tracks.microphone) {
      view.audio.srcObject = new MediaStream([tracks.microphone]);
      view.audio.play().catch(error => {
        if (error.name === 'NotAllowedError') byId('sound-banner').hidden = false;
      });
    }
    this.#arrange();
  }

  #startSound() {
    byId('sound-banner').hidden = true;
    for (const { audio, camera, screen } of this.#views.values()) {
      // A phone that saves power does not start videos by itself either.
      for (const media of [audio, camera.video, screen?.video]) media?.play().catch(() => {});
    }
  }

  #showSelf() {
    const { microphoneOn, cameraOn, camera, screen, microphone } = this.#media;
    const name = this.#call.name || t('you');
    this.#self.show({
      name, shownName: this.#call.name ? t('youNamed', { name }) : name,
      microphone: microphoneOn, camera: cameraOn, state: 'self', track: camera,
    });
    if (screen && !this.#selfScreen) {
      this.#selfScreen = new Tile({ kind: 'screen', self: true });
      byId('grid').append(this.#selfScreen.node);
    } else if (!screen && this.#selfScreen) {
      this.#selfScreen.node.remove();
      this.#selfScreen = null;
    }
    this.#selfScreen?.show({
      name, shownName: t('call.yourScreen'), microphone: true, camera: true, state: 'self', track: screen,
    });
    if (microphone !== this.#ownTrack) {
      this.#ownTrack = microphone;
      this.#ownLevel = 0;
      this.#stopLevel();
      this.#stopLevel = watchLevel(microphone, level => { this.#ownLevel = level; });
    }
    this.#arrange();
  }

  #showPeople() {
    const n = this.#views.size + 1;
    say(byId('count'), 'call.count', { n });
    byId('count').dataset.count = n;
    byId('crowd-note').hidden = n < crowdFrom || this.#crowdSeen;
    const relay = byId('relay-only');
    relay.disabled = !this.#call.hasRelay;
    relay.checked = this.#call.relayOnly;
    say(byId('relay-only-text'), this.#call.hasRelay ? 'settings.relayOnlyText' : 'settings.relayNone');
    if (n > 1 || !this.#alone) this.#showAlone(n === 1);
    this.#arrange();
  }

  #showAlone(alone) {
    this.#alone?.remove();
    this.#alone = alone ? this.#invite.card() : null;
    if (alone) byId('grid').append(this.#alone);
  }

  #showInvitation(valid) {
    this.#invite.offer(valid);
    if (this.#alone) this.#showAlone(true);
    this.#arrange();
  }

  #tokenLost(code) {
    const banner = byId('token-banner');
    banner.hidden = false;
    setData(banner, { code });
    if (code === 'token-expired') say(banner, 'token.expired');
    else say(banner, 'token.lost', { reason: t(refusal(code), { code }) });
    this.#showInvitation(false);
  }

  // The person has opened a link with another token for the room of this call.
  async renew(token) {
    try {
      await this.#call.renew(token);
    } catch (error) {
      toast(refusal(error.code), { code: error.code });
      return;
    }
    if (this.#over.signal.aborted) return;
    byId('token-banner').hidden = true;
    toast('token.renewed');
    this.#showInvitation(true);
  }

  #showLine() {
    const { online } = this.#call;
    const banner = byId('line-banner');
    const was = document.body.dataset.line;
    setData(document.body, { line: online ? 'online' : 'offline', self: this.#call.self });
    if (was === 'offline' && online) toast('call.back');
    if (banner.dataset.refused) return;
    banner.hidden = online && navigator.onLine;
    if (!banner.hidden) say(banner, navigator.onLine ? 'call.reconnecting' : 'call.offline');
  }

  #refused(code) {
    const banner = byId('line-banner');
    banner.hidden = false;
    setData(banner, { refused: code });
    byId('token-banner').hidden = true;
    say(banner, 'refused.again', { reason: t(refusal(code), { code }) });
    if (aboutToken(code)) this.#showInvitation(false);
  }

  #panel(id) {
    for (const button of document.querySelectorAll('[data-panel]')) {
      const { panel } = button.dataset;
      const open = panel === id && byId(panel).hidden;
      const was = !byId(panel).hidden;
      byId(panel).hidden = !open;
      button.setAttribute('aria-expanded', open);
      if (open && panel === 'chat-panel') this.#chat.opened();
      else if (open) focusFirst(byId(panel));
      else if (was && !id) button.focus();
    }
  }

  // Decides who speaks: for other people by the loudness in their RTP packets and over the last second, for
  // this person by the microphone.
  #listen() {
    const now = performance.now();
    const judge = (tile, level) => {
      if (level > audible) this.#heard.set(tile, now);
      tile.speaking(now - (this.#heard.get(tile) ?? -linger) < linger);
    };
    for (const [person, { camera }] of this.#views) {
      const level = Math.max(person.peer?.loudness ?? 0, person.samples.at(-1)?.loudness ?? 0);
      judge(camera, person.state.microphone ? level : 0);
    }
    judge(this.#self, this.#media.microphoneOn ? this.#ownLevel : 0);
  }

  #arrange() {
    const tiles = [...byId('grid').children].filter(node => node.classList.contains('tile'));
    arrange(byId('grid'), tiles, this.#alone);
  }
}

function focusFirst(panel) {
  const fields = panel.querySelectorAll('select, input');
  ([...fields].find(field => !field.disabled) ?? panel.querySelector('button')).focus();
}

const refusals = ['unreachable', 'token-required', 'token-invalid', 'token-not-yet-valid', 'token-expired',
  'token-revoked', 'room-full', 'bad-room', 'bad-name', 'rate-limited'];

export const refusal = code => refusals.includes(code) ? `refused.${code}` : 'refused.other';
