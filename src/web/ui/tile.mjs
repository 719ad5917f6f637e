// One picture of the grid: a person's camera or screen, with name, states and path badge, and the panel
// behind the badge.
import { element, setData } from '../app/dom.mjs';
import { label, say, t } from '../app/language.mjs';
import { Facts } from './facts.mjs';
import { iconSpan } from './icons.mjs';

export class Tile {
  #video = element('video', { autoplay: true, playsinline: true, muted: true });
  #avatar = element('span', { class: 'avatar', 'aria-hidden': 'true' });
  #name = element('span', { 'data-testid': 'tile-name' });
  #muted = iconSpan('mic-off');
  #status = element('p', { class: 'tile-status' });
  #badge = null;
  #badgeText = element('span');
  #facts = null;
  #track = null;

  constructor({ kind, self }) {
    this.#video.muted = true; // the attribute does not mute an element that a script has made
    this.#muted.hidden = true;
    this.node = element('article', {
      class: 'tile', 'data-kind': kind, 'data-self': String(self), 'data-testid': 'tile',
    },
      this.#avatar, this.#video, this.#status,
      element('p', { class: 'nameplate' }, this.#name, this.#muted));
    label(this.#muted, 'tile.muted');
    this.#muted.setAttribute('role', 'img');
    if (!self && kind === 'camera') {
      const close = () => {
        this.hideFacts();
        this.#badge.focus();
      };
      this.#facts = new Facts(close);
      this.#badge = element('button', {
        type: 'button', class: 'badge', 'data-testid': 'badge', 'aria-expanded': 'false', hidden: true,
        onclick: () => this.#toggleFacts(),
      }, this.#badgeText);
      this.node.append(this.#badge, this.#facts.node);
      this.node.addEventListener('keydown', event => {
        if (event.key !== 'Escape' || this.#facts.node.hidden) return;
        event.stopPropagation(); // it is not for the panels of the call
        close();
      });
    }
  }

  get video() { return this.#video; }

  show({ name, shownName, microphone, camera, state, track, person, silent, away }) {
    setData(this.node, {
      mic: microphone ? 'on' : 'off', camera: camera ? 'on' : 'off', state,
      peer: person?.member ?? undefined, name,
    });
    if (this.#name.textContent !== shownName) this.#name.textContent = shownName;
    this.node.setAttribute('aria-label', shownName);
    const initial = [...name.trim()][0]?.toLocaleUpperCase() ?? '·';
    if (this.#avatar.textContent !== initial) this.#avatar.textContent = initial;
    this.#muted.hidden = microphone || this.node.dataset.kind === 'screen';
    if (track !== this.#track) {
      this.#track = track;
      this.#video.srcObject = track ? new MediaStream([track]) : null;
    }
    if (away) say(this.#status, 'tile.away', { name });
    else if (silent && state === 'connecting') say(this.#status, 'tile.silent');
    else say(this.#status, ['connecting', 'reconnecting'].includes(state) ? `tile.${state}` : null);
    this.#showPath(person);
  }

  #showPath(person) {
    const path = person?.path;
    if (!this.#badge) return;
    setData(this.node, { path: path?.path, transport: path?.transport });
    this.#badge.hidden = !path;
    if (!path) return;
    const words = t(`path.${path.path}`);
    this.#badgeText.textContent = t('path.badge', { path: words, transport: path.transport.toUpperCase() });
    label(this.#badge, 'tile.facts', { name: person.name || t('guest'), path: this.#badgeText.textContent });
    this.#facts.show(person);
  }

  // Numbers for tests and for interested people, once a second.
  sample(person) {
    const { framesDecoded, audioPackets, audioEnergy } = person.counts;
    setData(this.node, { frames: framesDecoded, audioPackets, audioEnergy: audioEnergy?.toFixed(4) });
    this.#facts?.show(person);
  }

  speaking(yes) { setData(this.node, { speaking: yes }); }

  hideFacts() {
    this.#facts.node.hidden = true;
    this.#badge.setAttribute('aria-expanded', false);
  }

  #toggleFacts() {
    const show = this.#facts.node.hidden;
    this.hideFacts();
    if (!show) return;
    this.#facts.node.hidden = false;
    this.#badge.setAttribute('aria-expanded', true);
    this.onfacts?.();
  }
}
