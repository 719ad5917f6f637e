// Two nodes behind HAProxy, with the configuration that the README gives.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { atExit, temporaryDirectory, within } from '../browser/support/cleanup.mjs';
import { connect, member } from '../signaling/support/client.mjs';
import { startCluster, startRedis, until } from './support.mjs';

process.env.PATH += ':/usr/sbin';
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const isInstalled = !spawnSync('haproxy', ['-v']).error || process.env.CI === 'true'; // there it has to be

// The README's block, on a port of ours and with our nodes.
function configuration(port, nodes) {
  const lines = readme.slice(readme.indexOf('## Several servers as one')).split('\n');
  const start = lines.findIndex(line => line.startsWith('    # /etc/haproxy/haproxy.cfg'));
  const length = lines.slice(start).findIndex(line => !line.startsWith('    '));
  const text = lines.slice(start, start + length).map(line => line.slice(4)).join('\n');
  return `${text}\n`.replace(/bind :443 .*/, `bind 127.0.0.1:${port}`)
    .replace('10.0.0.1:8080', `127.0.0.1:${nodes[0].port}`).replace('10.0.0.2:8080', `127.0.0.1:${nodes[1].port}`);
}

async function freePort() {
  const server = net.createServer();
  await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise(resolve => { server.close(resolve); });
  return port;
}

test('members come to different nodes through HAProxy, and to the node that is left', { skip: !isInstalled }, async t => {
  const redis = await startRedis();
  t.after(redis.remove);
  const folder = temporaryDirectory('haproxy');
  t.after(folder.remove);
  const nodes = await startCluster(redis, ['a.example.org', 'b.example.org'], { signaling: ['trusted_proxies: [127.0.0.1]', 'access: open'] });
  const port = await freePort();
  const file = join(folder.path, 'haproxy.cfg');
  writeFileSync(file, configuration(port, nodes));
  const proxy = spawn('haproxy', ['-W', '-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const forget = atExit(() => proxy.kill('SIGTERM'));
  let log = '';
  await within(10_000, 'HAProxy to be ready', new Promise((resolve, reject) => {
    proxy.stderr.setEncoding('utf8').on('data', text => { log += text; if (/Loading success/.test(log)) resolve(); });
    proxy.once('close', () => reject(new Error(log)));
  }));
  t.after(() => { proxy.kill('SIGTERM'); forget(); });

  // leastconn: the second goes where the first is not.
  const ws = `ws://127.0.0.1:${port}/ws`;
  const ann = await member(ws, 'blue', 'Ann');
  const bob = await member(ws, 'blue', 'Bob');
  assert.equal((await ann.hear('peer-joined')).peer.id, bob.id);
  bob.say({ type: 'signal', to: ann.id, data: 'hello' });
  assert.equal((await ann.hear('signal')).data, 'hello');

  // One of the two lost its node; by HAProxy it comes to the other, into its room.
  await nodes[1].kill();
  const lost = await Promise.race([ann, bob].map(line => line.ended.then(() => line)));
  const stays = lost === ann ? bob : ann;
  await until('HAProxy to see that the node is gone', async () => {
    const line = await member(ws, 'green', 'Probe').catch(() => null);
    line?.close();
    return line;
  });
  const again = await connect(ws);
  const [joined] = await again.request({ type: 'resume', resume: lost.joined.resume });
  assert.equal(joined.self, lost.id);
  again.say({ type: 'signal', to: stays.id, data: 'back' });
  assert.equal((await stays.hear('signal')).data, 'back');
  for (const line of [again, stays]) line.close();
  assert.equal(await nodes[0].stop(), 0);
});
