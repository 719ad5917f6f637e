// The row of one transfer, to or from one person: its progress, and the buttons for it.
import { element, setData } from '../app/dom.mjs';
import { sizeLimit } from '../app/files.mjs';
import { label, say, t } from '../app/language.mjs';

// `arrived(blob)` makes the element that shows a received file.
export class TransferRow {
  node = element('div', { class: 'transfer', 'data-testid': 'transfer', tabindex: -1 });
  #transfer;
  #files;
  #arrived;
  #shown = null;
  #progress = element('progress', { max: 100, value: 0 });
  #percent = element('span');

  constructor(transfer, files, arrived) {
    this.#transfer = transfer;
    this.#files = files;
    this.#arrived = arrived;
    label(this.#progress, 'file.progress', { name: transfer.name });
    this.update();
  }

  update() {
    const { state, share } = this.#transfer;
    const percent = Math.floor(share * 100);
    if (state !== this.#shown) this.#rebuild(state);
    if (state !== 'running' || this.#progress.value === percent) return;
    this.#progress.value = percent;
    this.#percent.textContent = `${percent} %`;
    setData(this.node, { progress: percent });
  }

  #rebuild(state) {
    this.#shown = state;
    const { outgoing, result, person } = this.#transfer;
    setData(this.node, { state, direction: outgoing ? 'out' : 'in' });
    const name = person.name || t('guest');
    const words = say(element('span'), this.#words(), { name, limit: size(sizeLimit) });
    const button = (key, action, style = 'plain') => say(element('button', {
      type: 'button', class: style, 'data-testid': key.replace('.', '-'), onclick: action,
    }), key);
    const cancel = () => button('file.cancel', () => this.#files.cancel(this.#transfer));
    const parts = [element('div', { class: 'row' }, words, state === 'running' && this.#percent)];
    if (state === 'running') parts.push(this.#progress, element('div', { class: 'buttons' }, cancel()));
    if (state === 'offered' && outgoing) parts.push(element('div', { class: 'buttons' }, cancel()));
    if (state === 'offered' && !outgoing)
      parts.push(element('div', { class: 'buttons' },
        button('file.accept', () => this.#files.accept(this.#transfer), 'primary'),
        button('file.refuse', () => this.#files.refuse(this.#transfer))));
    if (state === 'done' && result) parts.push(element('div', { class: 'buttons' }, this.#arrived(result)));
    const hadFocus = this.node.contains(document.activeElement);
    this.node.replaceChildren(...parts);
    // The row keeps the focus of its buttons, but gives it to none: whoever holds the key would press it too.
    if (hadFocus) this.node.focus();
  }

  #words() {
    const { state, outgoing, reason } = this.#transfer;
    switch (state) {
      case 'offered': return outgoing ? 'file.waiting' : 'file.question';
      case 'running': return outgoing ? 'file.sending' : 'file.receiving';
      case 'done': return outgoing ? 'file.sent' : 'file.arrived';
      case 'cancelled': return reason === 'here' ? 'file.cancelledHere' : 'file.cancelledThere';
      case 'refused': return reason === 'too-large' ? 'file.too-large'
        : outgoing ? 'file.declinedThere' : 'file.declinedHere';
      default: return reason === 'unreadable' ? 'file.unreadable' : 'file.gone';
    }
  }
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KB', 'MB', 'GB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
