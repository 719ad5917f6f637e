// The small panel behind a tile's badge: the path in words, a graph of the last minute, and the numbers.
import { element, svg } from '../app/dom.mjs';
import { label, say, t } from '../app/language.mjs';
import { iconSpan } from './icons.mjs';

const width = 240;
const height = 46;
const seconds = 60;

export class Facts {
  node = element('div', { class: 'facts', 'data-testid': 'facts', hidden: true });
  #graphIn = svg('polyline', { class: 'in' });
  #graphOut = svg('polyline', { class: 'out' });
  #name = element('b');
  #why = element('p');
  #values = {};

  constructor(close) {
    const button = label(element('button', { type: 'button', onclick: close }, iconSpan('close')), 'close');
    const graph = svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img' },
      svg('line', { class: 'ground', x1: 0, x2: width, y1: height - 1, y2: height - 1 }),
      this.#graphOut, this.#graphIn);
    label(graph, 'facts.graph');
    const list = element('dl');
    for (const [name, style] of [['received', 'key in'], ['sent', 'key out'], ['roundTrip'], ['loss'],
      ['here'], ['there']]) {
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
    const most = Math.max(100_000, ...samples.flatMap(({ received, sent }) => [received, sent]));
    const line = field => samples.map((sample, index) => {
      const x = width - (samples.length - 1 - index) * (width / (seconds - 1));
      return `${x.toFixed(1)},${(height - 2 - (height - 4) * sample[field] / most).toFixed(1)}`;
    }).join(' ');
    this.#graphIn.setAttribute('points', line('received'));
    this.#graphOut.setAttribute('points', line('sent'));
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
