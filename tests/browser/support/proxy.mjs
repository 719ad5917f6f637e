// Starts and stops nginx and HAProxy for tests, and tells whether this machine has them.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atExit, temporaryDirectory, within } from './cleanup.mjs';

process.env.PATH += ':/usr/sbin'; // where Debian has them

export function isInstalled(program) {
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return process.env.CI === 'true'; // there it has to be
  }
}

const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';
export const hasNginxStream = () => isInstalled('nginx') && (existsSync(streamModule) || process.env.CI === 'true');

// Starts nginx with these contents of `http {}` and with a whole `stream {}`. Resolves, when it listens, to
// the function that stops it.
export function startNginx({ http = '', stream = '' }) {
  return start('nginx', /start worker process /, folder => {
    // These directives surround a site in Debian's nginx.conf. Their folders are ours.
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`);
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, `${stream && `load_module ${streamModule};`}\ndaemon off; user root; pid ${folder}/nginx.pid;\n` +
      `error_log stderr notice;\nevents {}\n${http && `http { access_log off; ${places.join(' ')}\n${http}\n}`}\n${stream}\n`);
    return ['-p', folder, '-e', 'stderr', '-c', file];
  });
}

// Starts HAProxy with this configuration, in the same way. `prefix` is a command that starts it elsewhere,
// such as in a namespace.
export function startHaproxy(configuration, prefix = []) {
  return start('haproxy', /Loading success/, folder => {
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, `${configuration}\n`);
    return ['-W', '-db', '-f', file];
  }, prefix);
}

async function start(program, ready, configure, prefix = []) {
  const folder = temporaryDirectory(program);
  const [first, ...words] = [...prefix, program, ...configure(folder.path)];
  const child = spawn(first, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const forget = atExit(() => child.kill('SIGTERM'));
  const ended = new Promise(resolve => {
    child.once('error', resolve);
    child.once('close', resolve);
  });
  let log = '';
  await within(10_000, `${program} to be ready`, new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => { log += text; if (ready.test(log)) resolve(); });
    ended.then(() => reject(new Error(`${program} ended: ${log}`)));
  }));
  return async () => {
    child.kill('SIGTERM');
    await within(10_000, `the end of ${program}`, ended);
    forget();
    folder.remove();
  };
}
