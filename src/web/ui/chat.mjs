// The chat panel: what was said, and files on their way, with their progress on both sides.
import { fits } from '../app/call.mjs';
import { byId, element, setData } from '../app/dom.mjs';
import { Files, isImage, sizeLimit } from '../app/files.mjs';
import { label, say, t } from '../app/language.mjs';
import { toast } from './toast.mjs';

const longest = 4000;

export class Chat {
  #call;
  #files = new Files();
  #rows = new Map(); // Transfer → its part of the log
  #unread = 0;
  #urls = [];
  #listening = new AbortController();

  constructor(call) {
    this.#call = call;
    const on = (type, handler) => call.addEventListener(type, ({ detail }) => handler(detail));
    on('person-message', ({ person, message }) => this.#heard(person, message));
    on('person-channel', ({ person, channel }) => this.#files.opened(person, channel));
    on('person-left', ({ person }) => this.#files.lost(person));
    this.#files.addEventListener('offered', ({ detail }) => this.#incoming(detail));
    this.#files.addEventListener('changed', ({ detail }) => this.#rows.get(detail)?.update());

    const { signal } = this.#listening;
    const listen = (node, type, handler) => node.addEventListener(type, handler, { signal });
    byId('chat-log').replaceChildren(say(element('p', { class: 'empty' }), 'chat.empty'));
    listen(byId('chat-form'), 'submit', event => { event.preventDefault(); this.#send(); });
    listen(byId('chat-text'), 'keydown', event => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return; // composing: Hangul
      event.preventDefault();
      this.#send();
    });
    listen(byId('chat-text'), 'paste', event => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      this.offer([...event.clipboardData.files]);
    });
    listen(byId('attach'), 'click', () => byId('file-input').click());
    listen(byId('file-input'), 'change', () => {
      this.offer([...byId('file-input').files]);
      byId('file-input').value = '';
    });
    const panel = byId('chat-panel');
    listen(panel, 'dragover', event => {
      if (!event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      panel.dataset.drop = 'true';
    });
    listen(panel, 'dragleave', () => delete panel.dataset.drop);
    listen(panel, 'drop', event => {
      event.preventDefault();
      delete panel.dataset.drop;
      this.offer([...event.dataTransfer.files]);
    });
    this.#showUnread();
  }

  close() {
    this.#listening.abort();
    for (const transfer of this.#rows.keys()) this.#files.cancel(transfer);
    for (const url of this.#urls) URL.revokeObjectURL(url);
    byId('chat-log').replaceChildren();
  }

  opened() {
    this.#unread = 0;
    this.#showUnread();
    const log = byId('chat-log');
    log.scrollTop = log.scrollHeight;
    if (matchMedia('(pointer: fine)').matches) byId('chat-text').focus();
  }

  event(key, values) {
    this.#append(say(element('p', { class: 'event' }), key, values), { quiet: true });
  }

  offer(files) {
    for (const file of files) {
      const people = this.#call.listeners;
      if (file.size > sizeLimit) toast('file.tooLarge', { name: file.name, limit: size(sizeLimit) });
      else if (!people.length) toast('file.nobody');
      else this.#outgoing(file, this.#files.offer(file, people));
    }
  }

  #send() {
    const field = byId('chat-text');
    const text = field.value.trim().slice(0, longest);
    if (!text) return;
    const message = { type: 'chat', text };
    if (!fits(message)) {
      toast('chat.tooLong');
      return;
    }
    const readers = this.#call.tell(message);
    field.value = '';
    this.#message(null, element('div', { class: 'body' }, text), !readers && 'chat.nobody');
  }

  #heard(person, message) {
    if (this.#files.heard(person, message)) return;
    if (message.type !== 'chat' || typeof message.text !== 'string') return;
    this.#message(person, element('div', { class: 'body' }, ...links(message.text.slice(0, longest))));
  }

  #message(person, body, hint) {
    const time = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const who = person ? `${person.name || t('guest')} · ${time}` : time;
    this.#append(element('div', { class: 'message', 'data-own': String(!person), 'data-testid': 'message' },
      element('span', { class: 'who' }, who), body,
      hint && say(element('span', { class: 'hint' }), hint)), { own: !person });
  }

  #outgoing(file, transfers) {
    const body = element('div', { class: 'body file', 'data-testid': 'file' }, title(file));
    if (isImage({ mime: file.type })) body.append(this.#picture(file, file.name));
    for (const transfer of transfers) body.append(this.#row(transfer));
    this.#message(null, body);
  }

  #incoming(transfer) {
    const body = element('div', { class: 'body file', 'data-testid': 'file' }, title(transfer));
    body.append(this.#row(transfer, blob => {
      const url = this.#url(blob);
      if (isImage(transfer)) body.insertBefore(this.#picture(blob, transfer.name, url), body.lastChild);
      return say(element('a', {
        class: 'plain', href: url, download: transfer.name, 'data-testid': 'download',
      }), 'file.download');
    }));
    this.#message(transfer.person, body);
  }

  #row(transfer, arrived) {
    const row = new Row(transfer, this.#files, arrived);
    this.#rows.set(transfer, row);
    return row.node;
  }

  #picture(blob, name, url = this.#url(blob)) {
    const log = byId('chat-log');
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    const onload = () => { if (atEnd) log.scrollTop = log.scrollHeight; };
    return element('img', { src: url, alt: name, 'data-testid': 'picture', onload });
  }

  #url(blob) {
    const url = URL.createObjectURL(blob);
    this.#urls.push(url);
    return url;
  }

  #append(node, { own = false, quiet = false }) {
    const log = byId('chat-log');
    log.querySelector('.empty')?.remove();
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    log.append(node);
    if (atEnd || own) log.scrollTop = log.scrollHeight;
    if (quiet || own || !byId('chat-panel').hidden) return;
    this.#unread += 1;
    this.#showUnread();
  }

  #showUnread() {
    const badge = byId('unread');
    badge.hidden = !this.#unread;
    badge.textContent = this.#unread > 99 ? '99+' : this.#unread;
    label(badge, 'chat.unread', { n: this.#unread });
  }
}

// One way of one file: to one person, or from one.
class Row {
  node = element('div', { class: 'transfer', 'data-testid': 'transfer' });
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
    this.node.replaceChildren(...parts);
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

const title = ({ name, size: bytes }) => element('div', { class: 'title' },
  element('span', { class: 'file-name', 'data-testid': 'file-name' }, name),
  element('span', { class: 'file-size' }, size(bytes)));

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

// A stranger's text as text, with web addresses to click on.
function links(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, index) => index % 2
    ? element('a', { href: part, target: '_blank', rel: 'noopener noreferrer' }, part)
    : part);
}
