// The chat panel: messages, and files with their progress on both sides.
import { fits } from '../app/call.mjs';
import { byId, element } from '../app/dom.mjs';
import { Files, isImage, sizeLimit } from '../app/files.mjs';
import { label, say, t } from '../app/language.mjs';
import { toast } from './toast.mjs';
import { size, TransferRow } from './transfer_row.mjs';

const longest = 4000;
const mostLines = 500; // of the log, with those about people who come and go

export class Chat {
  #call;
  #files = new Files();
  #rows = new Map(); // Transfer → its row in the log
  #unread = 0;
  #attachments = new Map(); // message in the log → { transfers, urls } that it holds
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
    for (const node of [...byId('chat-log').children]) this.#remove(node);
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
    this.#message(null, element('div', { class: 'body' }, text), { hint: !readers && 'chat.nobody' });
  }

  #heard(person, message) {
    if (this.#files.heard(person, message)) return;
    if (message.type !== 'chat' || typeof message.text !== 'string') return;
    this.#message(person, element('div', { class: 'body' }, ...links(message.text.slice(0, longest))));
  }

  #message(person, body, { hint, attachment } = {}) {
    const time = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const who = person ? `${person.name || t('guest')} · ${time}` : time;
    this.#append(element('div', { class: 'message', 'data-own': String(!person), 'data-testid': 'message' },
      element('span', { class: 'who' }, who), body,
      hint && say(element('span', { class: 'hint' }), hint)), { own: !person, attachment });
  }

  #outgoing(file, transfers) {
    const attachment = { transfers, urls: [] };
    const body = element('div', { class: 'body file', 'data-testid': 'file' }, title(file));
    if (isImage({ mime: file.type })) body.append(this.#picture(file.name, makeUrl(file, attachment)));
    for (const transfer of transfers) body.append(this.#row(transfer));
    this.#message(null, body, { attachment });
  }

  #incoming(transfer) {
    const attachment = { transfers: [transfer], urls: [] };
    const body = element('div', { class: 'body file', 'data-testid': 'file' }, title(transfer));
    body.append(this.#row(transfer, blob => {
      const url = makeUrl(blob, attachment);
      if (isImage(transfer)) body.insertBefore(this.#picture(transfer.name, url), body.lastChild);
      return say(element('a', {
        class: 'plain', href: url, download: transfer.name, 'data-testid': 'download',
      }), 'file.download');
    }));
    this.#message(transfer.person, body, { attachment });
  }

  #row(transfer, arrived) {
    const row = new TransferRow(transfer, this.#files, arrived);
    this.#rows.set(transfer, row);
    return row.node;
  }

  #picture(name, url) {
    const log = byId('chat-log');
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    const onload = () => { if (atEnd) log.scrollTop = log.scrollHeight; };
    return element('img', { src: url, alt: name, 'data-testid': 'picture', onload });
  }

  #append(node, { own = false, quiet = false, attachment }) {
    if (attachment) this.#attachments.set(node, attachment);
    const log = byId('chat-log');
    log.querySelector('.empty')?.remove();
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    log.append(node);
    this.#shorten(log);
    if (atEnd || own) log.scrollTop = log.scrollHeight;
    if (quiet || own || !byId('chat-panel').hidden) return;
    this.#unread += 1;
    this.#showUnread();
  }

  // Removes the oldest lines. One with a transfer that this person waits for stays.
  #shorten(log) {
    const isAwaited = ({ state, outgoing }) => state === 'running' || (outgoing && state === 'offered');
    const isOld = node => !this.#attachments.get(node)?.transfers.some(isAwaited);
    for (let node = log.firstChild; node && log.childElementCount > mostLines;) {
      const next = node.nextSibling;
      if (isOld(node)) this.#remove(node);
      node = next;
    }
  }

  #remove(node) {
    node.remove();
    const { transfers = [], urls = [] } = this.#attachments.get(node) ?? {};
    this.#attachments.delete(node);
    for (const transfer of transfers) {
      this.#rows.delete(transfer);
      this.#files.forget(transfer);
    }
    for (const url of urls) URL.revokeObjectURL(url);
  }

  #showUnread() {
    const badge = byId('unread');
    badge.hidden = !this.#unread;
    badge.textContent = this.#unread > 99 ? '99+' : this.#unread;
    label(badge.parentElement, this.#unread ? 'chat.titleUnread' : 'chat.title', { n: this.#unread });
  }
}

const title = ({ name, size: bytes }) => element('div', { class: 'title' },
  element('span', { class: 'file-name', 'data-testid': 'file-name' }, name),
  element('span', { class: 'file-size' }, size(bytes)));

function makeUrl(blob, { urls }) {
  const url = URL.createObjectURL(blob);
  urls.push(url);
  return url;
}

// Shows a stranger's text as text, with links for its web addresses.
function links(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, index) => index % 2
    ? element('a', { href: part, target: '_blank', rel: 'noopener noreferrer' }, part)
    : part);
}
