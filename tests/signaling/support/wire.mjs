// A plain WebSocket: its frames and its end can be awaited, and one that is refused just ends.
import { within } from '../../browser/support/cleanup.mjs';
import { WebSocket } from './client.mjs';

const patience = 8000;

export function wire(url) {
  const socket = new WebSocket(url);
  const frames = [];
  let wake = () => {};
  socket.on('message', (data, binary) => { frames.push(binary ? data : data.toString()); wake(); });
  socket.on('error', () => {});
  const closed = new Promise(resolve => socket.on('close', () => { resolve(true); wake(); }));
  const opened = new Promise(resolve => socket.on('open', resolve));
  const next = async () => {
    while (frames.length === 0) {
      if (socket.readyState === WebSocket.CLOSED) throw new Error('closed');
      await within(patience, 'a frame', new Promise(resolve => { wake = resolve; }));
    }
    return frames.shift();
  };
  return Object.assign(socket, { next, opened, closed: () => within(patience, 'the end of the WebSocket', closed) });
}
