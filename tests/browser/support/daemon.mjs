// Runs the real turnpike daemon for a test. It writes the configuration, waits until the daemon says that it
// is ready, reads from its log which ports it chose, and stops it by its pid. The binary is $TURNPIKE, or
// that of the release build.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atExit, temporaryDirectory, within } from './cleanup.mjs';

const releaseBuild = fileURLToPath(new URL('../../../build/release/turnpike', import.meta.url));

// `config` is the text of the YAML file. `prefix` is a command that becomes the daemon somewhere else, such
// as in a namespace. The function resolves when the daemon is ready, to
//   pid
//   file       the path of its configuration, which a test may write again
//   listeners  their URLs with the chosen ports, such as udp://127.0.0.1:34567, in the order of the log
//   log()      everything the daemon has written so far
//   stop()     sends SIGTERM, later SIGKILL; resolves to the exit code, or to the name of the signal that
//              ended the daemon
export async function startTurnpike(config, prefix = []) {
  const binary = process.env.TURNPIKE ?? releaseBuild;
  const directory = temporaryDirectory('turnpike');
  const file = join(directory.path, 'turnpike.yaml');
  writeFileSync(file, config);

  const [program, ...args] = [...prefix, binary, '--config', file];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const forget = atExit(() => child.kill('SIGKILL'));
  const ended = new Promise(resolve => {
    child.once('error', error => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  let log = '';
  const ready = new Promise(resolve => {
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        log += text;
        if (/\bready\s*\n/.test(log)) resolve();
      });
  });
  ended.then(status => { log += `--- ended: ${status} ---\n`; });

  async function stop() {
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.kill('SIGTERM');
    const status = await ended;
    clearTimeout(timer);
    forget();
    directory.remove();
    if (log.includes(' has not ended in ')) throw new Error(`turnpike has cut off what did not end:\n${log}`);
    return status;
  }

  try {
    const early = ended.then(status => { throw new Error(`ended before it was ready: ${status}`); });
    await within(30_000, 'ready', Promise.race([ready, early]));
  } catch (error) {
    await stop();
    const context = `--- its log ---\n${log}--- its configuration ---\n${config}`;
    throw new Error(`${binary}: ${error.message}\n${context}`);
  }
  const listeners = Array.from(log.matchAll(/listening on (\w+:\/\/\S+:\d+)/g), match => match[1]);
  return { pid: child.pid, file, listeners, log: () => log, stop };
}
