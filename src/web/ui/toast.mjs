// Short notices that disappear by themselves. Screen readers read them too. There are only a few at a time,
// and a newer one replaces the oldest.
import { byId, element } from '../app/dom.mjs';
import { t } from '../app/language.mjs';

const shown = 4500;
const most = 3;
const timers = new Map(); // notice → the timer that removes it; the oldest first

export function toast(key, values) {
  const text = t(key, values);
  const same = [...timers.keys()].find(node => node.textContent === text);
  const node = same ?? element('p', { class: 'toast', 'data-toast': key }, text);
  if (same) clearTimeout(timers.get(same));
  else byId('toasts').append(node);
  timers.set(node, setTimeout(() => remove(node), shown));
  if (timers.size > most) remove(timers.keys().next().value);
}

function remove(node) {
  clearTimeout(timers.get(node));
  timers.delete(node);
  node.remove();
}

// Merges notices of one kind, such as that people leave: the first one is shown at once, and those that come
// while it is shown become a single one, the text `several` with their number {n}.
export class MergedToasts {
  #several;
  #waiting = 0;
  #last = null; // [key, values] of the last one that waits
  #timer = 0;

  constructor(several) {
    this.#several = several;
  }

  add(key, values) {
    this.#waiting += 1;
    this.#last = [key, values];
    if (!this.#timer) this.#tell();
  }

  close() { clearTimeout(this.#timer); }

  #tell() {
    this.#timer = this.#waiting ? setTimeout(() => this.#tell(), shown) : 0;
    if (this.#waiting === 1) toast(...this.#last);
    else if (this.#waiting) toast(this.#several, { n: this.#waiting });
    this.#waiting = 0;
  }
}
