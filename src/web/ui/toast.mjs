// A short notice that disappears by itself. Screen readers read it too.
import { byId, element } from '../app/dom.mjs';
import { t } from '../app/language.mjs';

const shown = 4500;

export function toast(key, values) {
  const node = element('p', { class: 'toast', 'data-toast': key }, t(key, values));
  byId('toasts').append(node);
  setTimeout(() => node.remove(), shown);
}
