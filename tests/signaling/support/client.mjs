// A client of the plain protocol for tests. A test waits for each message, and no message is lost or taken
// twice.
import { createRequire } from 'node:module';
import { within } from '../../browser/support/cleanup.mjs';

const require = createRequire(new URL('../../browser/package.json', import.meta.url));
export const WebSocket = require('ws');

const patience = 8000;

// Resolves to the open socket with
//   say(object)         sends it, as JSON; a string goes as it is
//   hear(type, wait)    the next message, which has to be of that type; `wait` is in ms
//   request(object)     says it with an id and resolves to what comes before the ack, or throws the error's code. What the
//                       server said before it came to a { type: 'ping' } is all that comes before its ack.
//   ended               resolves to { code, reason } of the close
export async function connect(url, options = {}) {
  const socket = new WebSocket(url, options);
  const heard = [];
  let wake = () => {};
  socket.on('message', data => { heard.push(data.toString()); wake(); });
  const ended = new Promise(resolve => {
    socket.on('close', (code, reason) => { resolve({ code, reason: reason.toString() }); wake(); });
  });
  await within(patience, 'the WebSocket to open', new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_, response) => {
      reject(Object.assign(new Error(`HTTP ${response.statusCode}`), { status: response.statusCode }));
      response.destroy();
    });
    socket.once('error', reject);
  }));
  socket.on('error', () => {});

  async function hearText(wait = patience) {
    while (heard.length === 0) {
      if (socket.readyState === WebSocket.CLOSED) throw new Error('the socket was closed');
      await within(wait, 'a message', new Promise(resolve => { wake = resolve; }));
    }
    return heard.shift();
  }
  async function hear(type, wait) {
    const message = JSON.parse(await hearText(wait));
    if (type && message.type !== type) throw new Error(`not ${type}: ${JSON.stringify(message)}`);
    return message;
  }
  const say = message => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  let lastId = 0;
  async function request(message) {
    const id = ++lastId;
    say({ ...message, id });
    const answers = [];
    for (;;) {
      const answer = await hear();
      if (answer.id !== id) { answers.push(answer); continue; }
      if (answer.type === 'error') throw Object.assign(new Error(answer.message), { code: answer.code });
      return answers;
    }
  }
  return Object.assign(socket, { say, hear, hearText, request, ended });
}

// Connects and joins. The answer is in `joined`.
export async function member(url, room, name, options) {
  const client = await connect(url, options);
  const [joined] = await client.request({ type: 'join', room, name });
  return Object.assign(client, { joined, id: joined.self });
}
