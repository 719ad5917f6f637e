// A program on a machine of the laboratory that sends and receives as a test asks: agent.mjs. Each of its
// methods returns a promise here.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { atExit } from '../../browser/support/cleanup.mjs';
import { inside } from './lab.mjs';

const agent = fileURLToPath(new URL('agent.mjs', import.meta.url));

// Starts the program and binds its UDP socket. Without a namespace it runs on the public network.
export async function startEndpoint(namespace, address = '0.0.0.0', port = 0) {
  const argv = [...(namespace ? inside(namespace) : []), process.execPath, agent];
  const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const forget = atExit(() => child.kill('SIGKILL'));
  const pending = new Map();
  let last = 0;

  child.on('message', ({ id, result, error }) => {
    const { resolve, reject } = pending.get(id);
    pending.delete(id);
    if (error) reject(new Error(error));
    else resolve(result);
  });
  const ended = new Promise(resolve => child.once('error', resolve).once('exit', resolve)).then(why => {
    for (const { reject } of pending.values()) reject(new Error(`the agent in ${namespace} ended: ${why}`));
  });

  const ask = (method, ...args) => new Promise((resolve, reject) => {
    pending.set(++last, { resolve, reject });
    child.send({ id: last, method, args });
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    forget();
  };

  const bound = await ask('bind', address, port);
  return {
    address: bound,
    mapped: (...args) => ask('mapped', ...args),
    send: (...args) => ask('send', ...args),
    received: () => ask('received'),
    listen: (...args) => ask('listen', ...args),
    connect: (...args) => ask('connect', ...args),
    stop,
  };
}
