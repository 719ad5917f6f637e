// A cluster for tests: a Redis of their own, at a unix socket, daemons that are its nodes, and HAProxy before them.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../browser/support/call_page.mjs';
import { atExit, temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { isInstalled, startHaproxy as startProxy } from '../browser/support/proxy.mjs';
import { member } from '../signaling/support/client.mjs';
import { startServer } from '../signaling/support/server.mjs';

const run = promisify(execFile);
const turnpike = process.env.TURNPIKE ?? fileURLToPath(new URL('../../build/release/turnpike', import.meta.url));
const turnpikectl = process.env.TURNPIKECTL ?? fileURLToPath(new URL('turnpikectl', `file://${turnpike}`));

// Resolves to what turnpikectl prints.
export const runCtl = async (socket, ...words) => (await run(turnpikectl, ['--socket', socket, ...words])).stdout;

export const clusterSecret = 'a secret that all nodes know';

export const portOf = url => Number(url.match(/:(\d+)/g).at(-1).slice(1));
export const udpPort = node => portOf(node.listeners.find(url => url.startsWith('udp')));

// Resident memory of a process, in kB.
export const resident = pid => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

// Whom the node knows to be in a room, by their names, sorted: somebody joins and leaves again.
export async function membersAt(node, room) {
  const line = await member(node.ws, room, 'Visitor');
  await line.request({ type: 'leave' });
  line.close();
  return line.joined.peers.map(peer => peer.name).filter(name => name !== 'Visitor').sort();
}

// Starts Redis. Resolves, when it can be used, to
//   url          for cluster.redis: the unix socket
//   port         the port on `address` that was asked for; 0 when Redis has none
//   command(…)   returns what redis-cli prints
//   connect()    a connection of its own, see connectTo
//   pause(), resume()   stop the process for some time
//   stop()       ends it; start() starts it again, empty
//   remove()     ends it and deletes its files
// `prefix` is a command that becomes Redis somewhere else, such as in a namespace. `more` are options of Redis.
export async function startRedis({ port = 0, address = '127.0.0.1', prefix = [], more = [] } = {}) {
  const directory = temporaryDirectory('redis');
  const socket = join(directory.path, 'redis.sock');
  let child;
  let forget;

  async function start() {
    const [program, ...words] = [...prefix, 'redis-server', '--port', String(port), '--bind', address, '--protected-mode', 'no',
      '--unixsocket', socket, '--save', '', '--dir', directory.path, ...more];
    child = spawn(program, words);
    const begun = child;
    forget = atExit(() => begun.kill('SIGKILL'));
    await within(10_000, 'Redis', new Promise((resolve, reject) => {
      begun.once('error', reject);
      begun.stdout.on('data', text => { if (/ready to accept connections/i.test(text)) resolve(); });
    }));
  }
  const ended = () => new Promise(resolve => { child.once('close', resolve); });
  async function stop(signal = 'SIGKILL') {
    const over = ended();
    child.kill(signal);
    await over;
    forget();
  }
  async function command(...words) {
    const cli = spawn('redis-cli', ['-s', socket, ...words]);
    let text = '';
    cli.stdout.on('data', data => { text += data; });
    await within(10_000, 'redis-cli', new Promise(resolve => { cli.once('close', resolve); }));
    return text.trim();
  }

  await start();
  return {
    url: `unix:${socket}`,
    port,
    command,
    connect: () => connectTo(socket),
    start,
    stop,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    async remove() {
      child.kill('SIGCONT');
      await stop();
      directory.remove();
    },
  };
}

// Returns the first reply of Redis's protocol in these octets, as { value, rest }, or null while it is
// incomplete.
function parseReply(octets) {
  const end = octets.indexOf('\r\n');
  if (end < 0) return null;
  const [kind, text, rest] = [octets.toString('latin1', 0, 1), octets.toString('latin1', 1, end), octets.subarray(end + 2)];
  if (kind === '-') return { value: new Error(text), rest };
  if (kind === '+') return { value: text, rest };
  const number = Number(text);
  if (kind === ':') return { value: number, rest };
  if (number < 0) return { value: null, rest };
  if (kind === '$')
    return rest.length < number + 2 ? null : { value: rest.subarray(0, number), rest: rest.subarray(number + 2) };
  let list = { value: [], rest };
  for (let i = 0; i < number; ++i) {
    const element = parseReply(list.rest);
    if (!element) return null;
    list = { value: [...list.value, element.value], rest: element.rest };
  }
  return list;
}

const octetsOf = words => Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...words.flatMap(word =>
  [Buffer.from(`$${Buffer.byteLength(word)}\r\n`), Buffer.from(word), Buffer.from('\r\n')])]);

// Says to Redis whatever a stranger can say, any octets. Resolves to
//   command(…)    resolves to the reply; a string of Redis's is a Buffer, an error is an Error
//   heard         after command('SUBSCRIBE', …): the messages, as { channel, payload }
//   close()
async function connectTo(path) {
  const socket = net.connect(path);
  await once(socket, 'connect');
  socket.on('error', () => {});
  const heard = [];
  const waiting = [];
  let octets = Buffer.alloc(0);
  socket.on('data', data => {
    octets = Buffer.concat([octets, data]);
    for (let reply = parseReply(octets); reply; reply = parseReply(octets)) {
      octets = reply.rest;
      const { value } = reply;
      if (Array.isArray(value) && String(value[0]) === 'message') heard.push({ channel: String(value[1]), payload: value[2] });
      else waiting.shift()?.(value);
    }
  });
  const command = (...words) => within(20_000, `${words[0]}`, new Promise(resolve => {
    waiting.push(resolve);
    socket.write(octetsOf(words));
  }));
  return { command, heard, close: () => socket.destroy() };
}

// Passes connections on to the Redis that was named last. The first connection that says `lastWord` ends with it.
export async function startSwitch(first, lastWord) {
  let target = first;
  const ways = new Set();
  const server = net.createServer(near => {
    const far = net.connect(target.url.slice('unix:'.length));
    const way = { listens: false, end: () => near.destroy() };
    ways.add(way);
    near.on('data', data => {
      way.listens ||= data.includes('SUBSCRIBE');
      if (!lastWord || !data.includes(lastWord)) return;
      lastWord = null;
      near.destroy();
    });
    for (const [from, to] of [[near, far], [far, near]])
      from.on('error', () => {}).on('close', () => { to.destroy(); ways.delete(way); }).pipe(to);
  });
  await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `redis://127.0.0.1:${server.address().port}/0`,
    // As where another Redis takes over, and only those notice it who give commands.
    switchTo(other) {
      target = other;
      for (const way of ways) if (!way.listens) way.end();
    },
    close() {
      for (const way of ways) way.end();
      server.close();
    },
  };
}

// Starts two Redis servers, and a switch to the second one in front of the first. They end after the test.
export async function startTwoRedis(t) {
  const [one, two] = [await startRedis(), await startRedis()];
  t.after(one.remove);
  t.after(two.remove);
  const way = await startSwitch(one);
  t.after(way.close);
  return { way, two };
}

// Starts a node with this name. By default, it resolves when the node has reached Redis. `kill` ends it like
// a crash.
export async function startNode(redis, name, { secret = clusterSecret, prefix = 'turnpike', waits = true, more = [], ...rest } = {}) {
  const server = await startServer({
    ...rest,
    more: [`cluster: {redis: "${redis.url}", secret: "${secret}", node: ${name}, prefix: ${prefix}}`, ...more],
  });
  if (waits) await saysLater(server, 'cluster: Redis is there');
  const adminPort = Number(server.log().match(/admin: listening on http:\S+:(\d+)/)?.[1]);
  return {
    ...server,
    name,
    adminPort,
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.stop();
    },
  };
}

// Resolves when `condition` holds. It is checked again and again, since nothing reports it.
export async function until(what, condition, patience = 20_000) {
  const deadline = Date.now() + patience;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${patience} ms`);
    await new Promise(resolve => { setTimeout(resolve, 20); });
  }
}

// Resolves when the log contains the text after its first `from` characters.
export const saysLater = (server, text, from = 0, patience = 20_000) =>
  until(`"${text}" in the log of a node`, () => server.log().slice(from).includes(text), patience)
    .catch(error => { throw new Error(`${error.message}\n${server.log()}`); });

// Starts nodes, and resolves when they know each other.
export async function startCluster(redis, names, options = {}) {
  const nodes = await Promise.all(names.map(name => startNode(redis, name, options)));
  for (const node of nodes)
    for (const other of names)
      if (other !== node.name) await saysLater(node, `cluster: node ${other} is there`);
  return nodes;
}

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
export const hasHaproxy = isInstalled('haproxy');

// Returns the README's block with our address and our nodes, each { address, port, adminPort }.
function configuration(at, nodes) {
  const lines = readme.slice(readme.indexOf('## Several servers as one')).split('\n');
  const start = lines.findIndex(line => line.startsWith('    # /etc/haproxy/haproxy.cfg'));
  const length = lines.slice(start).findIndex(line => !line.startsWith('    '));
  const text = lines.slice(start, start + length).map(line => line.slice(4))
    .filter(line => !line.startsWith('  server ')).join('\n');
  const servers = nodes.map(({ address = '127.0.0.1', port, adminPort }, i) =>
    `  server ${'abc'[i]} ${address}:${port} cookie ${'abc'[i]} port ${adminPort}\n`);
  return `${text}\n${servers.join('')}`.replace(/bind :443 .*/, `bind ${at}`);
}

// Starts HAProxy with the README's configuration, on a free port or at `at`. Resolves to { port, stop } when
// it is ready.
export async function startHaproxy(nodes, { at, prefix } = {}) {
  const port = at ? Number(at.split(':')[1]) : await freePort('tcp');
  return { port, stop: await startProxy(configuration(at ?? `127.0.0.1:${port}`, nodes), prefix) };
}
