// Ends what the tests started and removes what they made, however the run goes: every process and every
// temporary directory has an undo step here. Steps that were not taken in good order run when Node exits.
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

const pending = new Set();

process.on('exit', () => {
  for (const undo of [...pending].reverse()) {
    try {
      undo();
    } catch (error) {
      console.error(error.message);
    }
  }
});
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'])
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
process.stdout.on('error', () => process.exit(1)); // the test runner, which reads it, has ended

// Registers a synchronous undo step; the function returned takes it back.
export function atExit(undo) {
  pending.add(undo);
  return () => pending.delete(undo);
}

export function temporaryDirectory(name) {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  const erase = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  const forget = atExit(erase);
  const remove = () => { forget(); erase(); };
  return { path, remove };
}

// Waits for a promise, but not for ever: afterwards it throws an error that says what was waited for.
export async function within(milliseconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
