// Sends files from page to page, each over its own data channel, so that the chat does not wait for it. The
// messages about files use the talk channel: file-offer, file-accept, file-refuse, file-cancel, file-done.
// Events, with a Transfer in their detail: offered · changed
import { plainLine } from './plain.mjs';
import { randomId } from './random.mjs';

const megabyte = 1024 * 1024;
export const sizeLimit = 500 * megabyte;
// The limits for files that are received without a question: the bytes of one file, and the bytes that are
// kept at a time of one person's files and of all files. Other files wait to be accepted.
const unasked = {
  image: 10 * megabyte, other: megabyte,
  ofOne: { files: 10, bytes: 20 * megabyte }, ofAll: { files: 30, bytes: 60 * megabyte },
};
const highWater = megabyte;
const lowWater = 256 * 1024;
const readAhead = megabyte;
const packAt = 8 * megabyte;
const previewed = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp'];
const over = ['done', 'refused', 'cancelled', 'failed'];

export const isImage = ({ mime }) => previewed.includes(mime);

export class Transfer {
  state = 'offered'; // then running, and one of `over`
  bytes = 0; // received by the other side, or by us
  reason = null; // of a refusal, a cancellation or a failure
  result = null; // the received Blob
  channel = null;
  unasked = false; // whether it was received without a question

  constructor({ id, person, outgoing, name, size, mime, file = null }) {
    Object.assign(this, { id, person, outgoing, name, size, mime, file });
  }

  get isOver() { return over.includes(this.state); }
  get share() { return this.size ? Math.min(1, this.bytes / this.size) : Number(this.state === 'done'); }
}

export class Files extends EventTarget {
  #transfers = new Map(); // id → Transfer, for both directions; the sender makes random ids

  // Offers a file to all given people; returns the transfers. The caller must refuse files that are too
  // large.
  offer(file, people) {
    return people.map(person => {
      const transfer = new Transfer({
        id: randomId(), person, outgoing: true, file, name: file.name, size: file.size, mime: file.type,
      });
      this.#transfers.set(transfer.id, transfer);
      const { id, name, size, mime } = transfer;
      if (!person.say({ type: 'file-offer', id, name, size, mime })) this.#end(transfer, 'failed', 'gone');
      return transfer;
    });
  }

  accept(transfer) {
    if (transfer.outgoing || transfer.state !== 'offered') return;
    transfer.state = 'running';
    if (!transfer.person.say({ type: 'file-accept', id: transfer.id })) {
      this.#end(transfer, 'failed', 'gone');
      return;
    }
    this.#changed(transfer);
  }

  refuse(transfer, reason = 'declined') {
    if (transfer.outgoing || transfer.state !== 'offered') return;
    transfer.person.say({ type: 'file-refuse', id: transfer.id, reason });
    this.#end(transfer, 'refused', reason);
  }

  cancel(transfer) {
    if (transfer.isOver) return;
    transfer.person.say({ type: 'file-cancel', id: transfer.id });
    this.#end(transfer, 'cancelled', 'here');
  }

  // Handles a message of the talk channel. Returns whether it was about a file.
  heard(person, message) {
    if (!message.type.startsWith('file-')) return false;
    if (message.type === 'file-offer') {
      this.#offered(person, message);
      return true;
    }
    const transfer = this.#transfers.get(message.id);
    if (!transfer || transfer.person !== person || transfer.isOver) return true;
    switch (message.type) {
      case 'file-accept': if (transfer.outgoing && transfer.state === 'offered') this.#send(transfer); break;
      case 'file-refuse': this.#end(transfer, 'refused', String(message.reason)); break;
      case 'file-cancel': this.#end(transfer, 'cancelled', 'there'); break;
      case 'file-done': if (transfer.outgoing) this.#finished(transfer); break;
    }
    return true;
  }

  // Handles a data channel that the other side has opened, named file:<id>.
  opened(person, channel) {
    const transfer = this.#transfers.get(channel.label.replace(/^file:/, ''));
    const expected = transfer && transfer.person === person && !transfer.outgoing
      && transfer.state === 'running' && !transfer.channel;
    if (expected) this.#receive(transfer, channel);
    else channel.close();
  }

  // Releases what a transfer has received, when nobody can see it any more.
  forget(transfer) {
    this.refuse(transfer);
    this.cancel(transfer);
    transfer.result = null;
    this.#transfers.delete(transfer.id);
  }

  lost(person) {
    for (const transfer of this.#transfers.values())
      if (transfer.person === person && !transfer.isOver) this.#end(transfer, 'failed', 'gone');
  }

  #offered(person, { id, name, size, mime }) {
    const valid = typeof id === 'string' && id.length <= 64 && !this.#transfers.has(id)
      && Number.isSafeInteger(size) && size >= 0;
    if (!valid) return;
    const transfer = new Transfer({
      id, person, outgoing: false, size,
      name: cleanName(name), mime: typeof mime === 'string' ? mime.slice(0, 100) : '',
    });
    this.#transfers.set(id, transfer);
    if (size > sizeLimit) this.refuse(transfer, 'too-large');
    this.dispatchEvent(new CustomEvent('offered', { detail: transfer }));
    if (transfer.state !== 'offered' || !this.#fitsUnasked(transfer)) return;
    transfer.unasked = true;
    this.accept(transfer);
  }

  #fitsUnasked(transfer) {
    const { person, size } = transfer;
    if (size > (isImage(transfer) ? unasked.image : unasked.other)) return false;
    const kept = [...this.#transfers.values()].filter(other =>
      other.unasked && ['running', 'done'].includes(other.state));
    const fits = (transfers, { files, bytes }) => transfers.length < files
      && transfers.reduce((sum, other) => sum + other.size, size) <= bytes;
    return fits(kept.filter(other => other.person === person), unasked.ofOne) && fits(kept, unasked.ofAll);
  }

  async #send(transfer) {
    const { person: { peer }, file } = transfer;
    transfer.state = 'running';
    const channel = peer.openChannel(`file:${transfer.id}`);
    transfer.channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = lowWater;
    channel.addEventListener('close', () => this.#closed(transfer));
    this.#changed(transfer);
    try {
      await event(channel, 'open');
      for (let start = 0; start < file.size; start += readAhead) {
        const part = await file.slice(start, start + readAhead).arrayBuffer();
        for (let offset = 0; offset < part.byteLength; offset += peer.chunkSize) {
          if (channel.bufferedAmount > highWater) await event(channel, 'bufferedamountlow');
          if (transfer.isOver) return;
          channel.send(part.slice(offset, offset + peer.chunkSize));
          transfer.bytes = Math.max(0, start + offset - channel.bufferedAmount);
          this.#changed(transfer);
        }
      }
      while (channel.readyState === 'open' && channel.bufferedAmount > 0) {
        channel.bufferedAmountLowThreshold = Math.max(0, channel.bufferedAmount - lowWater);
        await event(channel, 'bufferedamountlow');
        transfer.bytes = file.size - channel.bufferedAmount;
        this.#changed(transfer);
      }
    } catch (error) { // the channel was closed, or the file was changed while it was read
      if (transfer.isOver) return;
      transfer.person.say({ type: 'file-cancel', id: transfer.id });
      this.#end(transfer, 'failed', error.name === 'NotReadableError' ? 'unreadable' : 'gone');
    }
  }

  #receive(transfer, channel) {
    transfer.channel = channel;
    channel.binaryType = 'arraybuffer';
    let parts = [];
    let loose = 0; // bytes in parts that are not yet in a Blob; the browser may keep a Blob on disk
    channel.addEventListener('close', () => this.#closed(transfer));
    channel.addEventListener('message', ({ data }) => {
      if (transfer.isOver || !(data instanceof ArrayBuffer)) return;
      parts.push(data);
      loose += data.byteLength;
      transfer.bytes += data.byteLength;
      if (loose >= packAt) {
        parts = [new Blob(parts)];
        loose = 0;
      }
      if (transfer.bytes > transfer.size) {
        this.cancel(transfer);
        return;
      }
      if (transfer.bytes === transfer.size) this.#complete(transfer, parts);
      else this.#changed(transfer);
    });
    if (transfer.size === 0) this.#complete(transfer, parts);
  }

  #complete(transfer, parts) {
    // Only pictures keep their type, so that the browser does not open a stranger's HTML as a page of ours.
    const type = isImage(transfer) ? transfer.mime : 'application/octet-stream';
    transfer.result = new Blob(parts, { type });
    transfer.person.say({ type: 'file-done', id: transfer.id });
    this.#end(transfer, 'done');
  }

  #finished(transfer) {
    transfer.bytes = transfer.size;
    this.#end(transfer, 'done');
    transfer.channel?.close();
  }

  #closed(transfer) {
    if (!transfer.isOver) this.#end(transfer, 'failed', 'gone');
  }

  #end(transfer, state, reason = null) {
    transfer.state = state;
    transfer.reason = reason;
    if (state !== 'done') transfer.channel?.close();
    this.#changed(transfer);
  }

  #changed(transfer) {
    this.dispatchEvent(new CustomEvent('changed', { detail: transfer }));
  }
}

// Returns only the file name, without folders.
function cleanName(name) {
  const last = String(name ?? '').split(/[\\/]/).pop();
  return plainLine(last).slice(0, 150) || 'file';
}

function event(channel, type) {
  if (type === 'open' && channel.readyState === 'open') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = how => () => {
      channel.removeEventListener(type, done);
      channel.removeEventListener('close', closed);
      how();
    };
    const done = settle(resolve);
    const closed = settle(() => reject(new Error('closed')));
    channel.addEventListener(type, done);
    channel.addEventListener('close', closed);
    if (channel.readyState === 'closed') closed();
  });
}
