// All texts of the page by key, in the chosen language. Elements are updated when the language changes. In
// markup, data-t="key" sets the text, data-t-label the accessible name, and data-t-placeholder the
// placeholder.
import en from '../text/en.mjs';
import ko from '../text/ko.mjs';
import { recall, remember } from './settings.mjs';

const texts = { en, ko };
const valuesOf = new WeakMap();
const listeners = new Set();

const fromBrowser = () =>
  (navigator.languages ?? []).map(tag => tag.slice(0, 2)).find(tag => tag in texts) ?? 'en';

let language = recall('language') in texts ? recall('language') : fromBrowser();

export const currentLanguage = () => language;

export function t(key, values = {}) {
  const text = texts[language][key] ?? en[key] ?? key;
  if (typeof text === 'function') return text(values);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

function show(node) {
  const { t: text, tLabel: label, tPlaceholder: placeholder } = node.dataset;
  const values = valuesOf.get(node);
  if (text !== undefined) write(node, 'textContent', text && t(text, values));
  if (placeholder !== undefined) write(node, 'placeholder', t(placeholder, values));
  if (label !== undefined) {
    node.setAttribute('aria-label', t(label, values));
    if (node.tagName === 'BUTTON' || node.tagName === 'A') node.title = t(label, values);
  }
}

function write(node, property, text) {
  if (node[property] !== text) node[property] = text;
}

// Shows a text as the content of an element. Without a key the element becomes empty. Returns the element.
export function say(node, key, values) {
  node.dataset.t = key ?? '';
  if (values) valuesOf.set(node, values);
  else valuesOf.delete(node);
  show(node);
  return node;
}

// Sets the accessible name and the tooltip of an element.
export function label(node, key, values) {
  node.dataset.tLabel = key;
  if (values) valuesOf.set(node, values);
  show(node);
  return node;
}

export const onLanguage = listener => listeners.add(listener);

export function translatePage() {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll('[data-t], [data-t-label], [data-t-placeholder]')) show(node);
  for (const listener of listeners) listener(language);
}

export function setLanguage(next) {
  if (!(next in texts)) return;
  language = next;
  remember('language', next);
  translatePage();
}
