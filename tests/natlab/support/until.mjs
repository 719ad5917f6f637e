// Asks again and again until the answer is truthy, and returns it. Throws when that takes too long. `what`
// may be a function, so that the message can describe the final state.
import { setTimeout as sleep } from 'node:timers/promises';

export async function until(milliseconds, what, ask) {
  for (const deadline = performance.now() + milliseconds; ;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) {
      const failed = typeof what === 'function' ? what() : what;
      throw new Error(`${failed}: not within ${Math.round(milliseconds)} ms`);
    }
    await sleep(20);
  }
}
