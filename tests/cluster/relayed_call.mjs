// Two TURN clients relay numbered datagrams to each other until the test that has started this process asks
// what arrived. A test calls startCall(sides), where each side is { port, username, credential } of a node at
// 127.0.0.1.
import { fork } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { fileURLToPath } from 'node:url';
import { atExit, within } from '../browser/support/cleanup.mjs';

const cookie = 0x2112a442;
const interval = 20; // ms between the datagrams of a side, as in a voice call
const channel = 0x4000;

const attribute = (kind, value) => {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(kind);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
};

function message(method, attributes, key) {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(method);
  const body = Buffer.concat(attributes);
  head.writeUInt16BE(body.length + (key ? 24 : 0), 2);
  head.writeUInt32BE(cookie, 4);
  const whole = Buffer.concat([head, randomBytes(12), body]);
  return key ? Buffer.concat([whole, attribute(0x0008, createHmac('sha1', key).update(whole).digest())]) : whole;
}

function attributesOf(octets) {
  const found = new Map();
  for (let at = 20; at + 4 <= octets.length; at += 4 + Math.ceil(octets.readUInt16BE(at + 2) / 4) * 4)
    found.set(octets.readUInt16BE(at), octets.subarray(at + 4, at + 4 + octets.readUInt16BE(at + 2)));
  return found;
}

export class Client {
  constructor({ port, username, credential }) {
    Object.assign(this, { port, username, credential, socket: createSocket('udp4'), asked: new Map(), arrived: new Set(), sent: 0, longestGap: 0 });
    this.socket.on('message', octets => {
      if (octets.readUInt16BE(0) === channel) return this.take(octets.readUInt32BE(4));
      this.asked.get(octets.toString('hex', 8, 20))?.(octets);
    });
  }

  take(number) {
    const now = performance.now();
    if (this.lastArrival) this.longestGap = Math.max(this.longestGap, now - this.lastArrival);
    this.lastArrival = now;
    this.arrived.add(number);
  }

  ask(request) {
    const answer = new Promise(resolve => { this.asked.set(request.toString('hex', 8, 20), resolve); });
    this.socket.send(request, this.port, '127.0.0.1');
    return within(10_000, 'an answer', answer);
  }

  async request(method, attributes) {
    if (!this.key) {
      const refused = attributesOf(await this.ask(message(method, attributes)));
      this.realm = refused.get(0x0014);
      this.nonce = refused.get(0x0015);
      this.key = createHash('md5').update(`${this.username}:${this.realm}:${this.credential}`).digest();
    }
    const names = [attribute(0x0006, Buffer.from(this.username)), attribute(0x0014, this.realm), attribute(0x0015, this.nonce)];
    const answer = await this.ask(message(method, [...attributes, ...names], this.key));
    if (answer.readUInt16BE(0) !== (method | 0x0100)) throw new Error(`refused: ${answer.toString('latin1')}`);
    return attributesOf(answer);
  }

  async allocate() {
    const found = await this.request(0x0003, [attribute(0x0019, Buffer.from([17, 0, 0, 0]))]);
    this.relayed = found.get(0x0016); // in the form of XOR-PEER-ADDRESS, since the cookie is the same
  }

  bind(other) {
    return this.request(0x0009, [attribute(0x000c, Buffer.from([0x40, 0, 0, 0])), attribute(0x0012, other.relayed)]);
  }

  send() {
    const octets = Buffer.alloc(164);
    octets.writeUInt16BE(channel);
    octets.writeUInt16BE(160, 2);
    octets.writeUInt32BE(this.sent++, 4);
    this.socket.send(octets, this.port, '127.0.0.1');
  }
}

async function call(sides) {
  const clients = sides.map(side => new Client(side));
  for (const client of clients) await client.allocate();
  await clients[0].bind(clients[1]);
  await clients[1].bind(clients[0]);
  // What a busy machine has kept this from sending is not sent in a burst, which would find no room in the kernel.
  const timer = setInterval(() => { for (const client of clients) client.send(); }, interval);
  process.send('begun');
  process.on('message', async () => {
    clearInterval(timer);
    const isWhole = () => clients.every((client, i) => client.arrived.size === clients[1 - i].sent);
    // Until nothing has come for a while.
    const lastArrival = () => Math.max(...clients.map(client => client.lastArrival ?? 0));
    for (const asked = performance.now(); !isWhole() && performance.now() < Math.max(asked, lastArrival()) + 5000;)
      await new Promise(resolve => { setTimeout(resolve, 20); });
    process.send(clients.map((client, i) => ({
      sent: clients[1 - i].sent, arrived: client.arrived.size, longestGap: Math.round(client.longestGap),
    })));
    process.exit();
  });
}

// Resolves to finish(), which resolves to [{ sent, arrived, longestGap }], with what each side received. The
// gap is in ms.
export async function startCall(sides) {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(sides)], { execArgv: [] });
  const forget = atExit(() => child.kill('SIGKILL'));
  const next = what => within(20_000, what, new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', code => reject(new Error(`the call ended: ${code}`)));
  }));
  await next('the call');
  return async () => {
    const said = next('what arrived');
    child.send('finish');
    const result = await said;
    forget();
    return result;
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('disconnect', () => process.exit());
  await call(JSON.parse(process.argv[2]));
}
