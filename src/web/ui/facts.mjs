// The small panel behind a tile's badge: the path in words, a graph of the last minute, and the numbers.
import { element, svg } from '../app/dom.mjs';
import { label, say, t } from '../app/language.mjs';
import { bands, drawGraph, height, width } from './graph.mjs';
import { iconSpan } from './icons.mjs';

export class Facts {
  node = element('div', { class: 'facts', 'data-testid': 'facts', hidden: true });
  #lines = {
    loss: svg('path', { class: 'loss' }), roundTrip: svg('path', { class: 'trip' }),
    sent: svg('path', { class: 'out' }), received: svg('path', { class: 'in' }),
  };
  #name = element('b');
  #why = element('p');
  #values = {};

  constructor(close) {
    const button = label(element('button', { type: 'button', onclick: close }, iconSpan('close')), 'close');
    const graph = svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img' },
      ...Object.values(bands).map(({ bottom: y }) =>
        svg('line', { class: 'ground', x1: 0, x2: width, y1: y, y2: y })),
      ...Object.values(this.#lines));
    label(graph, 'facts.graph');
    const list = element('dl');
    for (const [name, style] of [['received', 'key in'], ['sent', 'key out'], ['roundTrip', 'key trip'],
      ['loss', 'key loss'], ['here'], ['there']]) {
      this.#values[name] = element('dd', { 'data-fact': name }, '–');
      list.append(say(element('dt', { class: style }), `facts.${name}`), this.#values[name]);
    }
    this.node.append(element('header', {}, this.#name, button), this.#why, graph, list);
  }

  show({ name, path, samples }) {
    if (this.node.hidden) return;
    const title = name || t('guest');
    if (this.#name.textContent !== title) this.#name.textContent = title;
    if (path) {
      say(this.#why, `path.${path.path}Why`);
      this.#write('here', describe(path.localType, path.local));
      this.#write('there', describe(path.remoteType, path.remote));
    }
    const last = samples.at(-1);
    if (!last) return;
    this.#write('received', bitrate(last.received));
    this.#write('sent', bitrate(last.sent));
    this.#write('roundTrip', last.roundTrip === null ? '–' : `${Math.round(last.roundTrip)} ms`);
    this.#write('loss', `${(last.loss * 100).toFixed(1)} %`);
    for (const [name, path] of Object.entries(drawGraph(samples))) this.#lines[name].setAttribute('d', path);
  }

  #write(name, text) {
    if (this.#values[name].textContent !== text) this.#values[name].textContent = text;
  }
}

const bitrate = bits => bits >= 1_000_000
  ? `${(bits / 1_000_000).toFixed(1)} Mbit/s`
  : `${Math.round(bits / 1000)} kbit/s`;

function describe(type, { address, ip, port }) {
  const host = address ?? ip;
  return host ? `${type} ${host.includes(':') ? `[${host}]` : host}:${port}` : type;
}
