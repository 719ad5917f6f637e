// A cluster for tests: a Redis of their own, at a unix socket, daemons that are its nodes, and HAProxy before them.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../browser/support/call_page.mjs';
import { atExit, temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { isInstalled, startHaproxy as startProxy } from '../browser/support/proxy.mjs';
import { startServer } from '../signaling/support/server.mjs';

export const clusterSecret = 'a secret that all nodes know';

// Resolves, once it can be used, to
//   url          for cluster.redis: the unix socket
//   port         of 127.0.0.1 too, where one was asked for; 0 otherwise
//   command(…)   what redis-cli prints
//   pause(), resume()   the process does nothing meanwhile
//   stop()       ends it; start() begins it anew, empty
export async function startRedis({ port = 0 } = {}) {
  const directory = temporaryDirectory('redis');
  const socket = join(directory.path, 'redis.sock');
  let child;
  let forget;

  async function start() {
    child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', socket, '--save', '', '--dir', directory.path]);
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

// A node of that name, which is there when it has reached Redis. `kill` ends it as a crash does.
export async function startNode(redis, name, { secret = clusterSecret, prefix = 'turnpike', more = [], ...rest } = {}) {
  const server = await startServer({
    ...rest,
    more: [`cluster: {redis: "${redis.url}", secret: "${secret}", node: ${name}, prefix: ${prefix}}`, ...more],
  });
  await saysLater(server, 'cluster: Redis is there');
  return {
    ...server,
    name,
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.stop();
    },
  };
}

// Resolves once `condition` holds, which is asked again and again: for what nobody tells.
export async function until(what, condition, patience = 20_000) {
  const deadline = Date.now() + patience;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${patience} ms`);
    await new Promise(resolve => { setTimeout(resolve, 20); });
  }
}

// The line, or part of it, stands in the log after the first `from` characters.
export const saysLater = (server, text, from = 0, patience = 20_000) =>
  until(`"${text}" in the log of a node`, () => server.log().slice(from).includes(text), patience)
    .catch(error => { throw new Error(`${error.message}\n${server.log()}`); });

// Nodes that know of each other.
export async function startCluster(redis, names, options = {}) {
  const nodes = await Promise.all(names.map(name => startNode(redis, name, options)));
  for (const node of nodes)
    for (const other of names)
      if (other !== node.name) await saysLater(node, `cluster: node ${other} is there`);
  return nodes;
}

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
export const hasHaproxy = isInstalled('haproxy');

// The README's block, on a port of ours and with our nodes.
function configuration(port, nodes) {
  const lines = readme.slice(readme.indexOf('## Several servers as one')).split('\n');
  const start = lines.findIndex(line => line.startsWith('    # /etc/haproxy/haproxy.cfg'));
  const length = lines.slice(start).findIndex(line => !line.startsWith('    '));
  const text = lines.slice(start, start + length).map(line => line.slice(4)).join('\n');
  return `${text}\n`.replace(/bind :443 .*/, `bind 127.0.0.1:${port}`)
    .replace('10.0.0.1:8080', `127.0.0.1:${nodes[0].port}`).replace('10.0.0.2:8080', `127.0.0.1:${nodes[1].port}`);
}

// HAProxy with the configuration that the README gives, on a port of its own. Resolves to { port, stop } once it is ready.
export async function startHaproxy(nodes) {
  const port = await freePort('tcp');
  return { port, stop: await startProxy(configuration(port, nodes)) };
}
