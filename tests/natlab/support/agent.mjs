// Runs in a namespace for endpoint.mjs, with one UDP socket, and with TCP connections as a test asks: it asks
// STUN servers for its mapped address, sends and collects datagrams, listens and connects. Each {id, method,
// args} is answered once.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

const cookie = 0x2112a442;
const socket = createSocket('udp4');
const received = [];
const waiting = new Map(); // by transaction id: the function that takes the Binding response

socket.on('message', (message, { address, port }) => {
  const isStun = message.length >= 20 && message.readUInt32BE(4) === cookie;
  if (isStun) waiting.get(message.toString('hex', 8, 20))?.(mappedAddress(message));
  else received.push({ text: message.toString(), from: { address, port } });
});

// Returns the IPv4 address in XOR-MAPPED-ADDRESS.
function mappedAddress(message) {
  for (let at = 20; at + 12 <= message.length; at += 4 + Math.ceil(message.readUInt16BE(at + 2) / 4) * 4) {
    if (message.readUInt16BE(at) !== 0x0020) continue;
    const address = (message.readUInt32BE(at + 8) ^ cookie) >>> 0;
    return {
      address: [24, 16, 8, 0].map(shift => (address >>> shift) & 0xff).join('.'),
      port: message.readUInt16BE(at + 6) ^ (cookie >>> 16),
    };
  }
  return null;
}

const methods = {
  // Binds the socket, to any free port when none is given.
  bind: (address, port = 0) => new Promise((resolve, reject) => {
    socket.once('error', reject).bind(port, address, () => resolve(socket.address()));
  }),

  // The address that the STUN server sees, or null if it does not answer: one request, so many times.
  mapped: (address, port, times = 20) => new Promise(resolve => {
    const request = Buffer.concat([Buffer.from('000100002112a442', 'hex'), randomBytes(12)]);
    const transaction = request.toString('hex', 8);
    let sent = 0;
    const send = () => (sent++ < times ? socket.send(request, port, address) : finish(null));
    const timer = setInterval(send, 300);
    const finish = answer => {
      clearInterval(timer);
      waiting.delete(transaction);
      resolve(answer);
    };
    waiting.set(transaction, finish);
    send();
  }),

  send: (text, { address, port }) => new Promise((resolve, reject) => {
    socket.send(text, port, address, error => (error ? reject(error) : resolve()));
  }),

  received: () => received,

  listen: port => new Promise((resolve, reject) => {
    createServer(connection => connection.end()).once('error', reject).listen(port, resolve);
  }),

  // Resolves to whether there was a connection in time.
  connect: (address, port, milliseconds) => new Promise(resolve => {
    const connection = connect({ host: address, port, timeout: milliseconds });
    const finish = answer => { connection.destroy(); resolve(answer); };
    connection.once('connect', () => finish(true)).once('timeout', () => finish(false))
      .once('error', () => finish(false));
  }),
};

process.on('disconnect', () => process.exit());
process.on('message', async ({ id, method, args }) => {
  try {
    process.send({ id, result: await methods[method](...args) });
  } catch (error) {
    process.send({ id, error: error.message });
  }
});
