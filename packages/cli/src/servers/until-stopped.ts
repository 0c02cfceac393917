import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { FourfoldError } from '@fourfold/common';

const stopMs = 60_000;
const pollMs = 1;

/**
 * Resolves when a process that was sent SIGSTOP has stopped: until then its threads on other cores may still answer. Systems without
 * /proc are not asked. Throws `unavailable` if it goes on.
 */
export async function untilStopped(pid: number): Promise<void> {
  if (process.platform !== 'linux') return;
  const deadlineMs = performance.now() + stopMs;
  while (!(await isStopped(pid))) {
    if (performance.now() > deadlineMs) throw new FourfoldError('unavailable', `process ${pid} does not stop`);
    await delay(pollMs);
  }
}

/** Whether each thread is stopped; one that has ended is. */
async function isStopped(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const states = await Promise.all(
    threads.map((thread) =>
      readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').then(
        // The state follows the name, which is in brackets.
        (stat) => stat[stat.lastIndexOf(')') + 2],
        () => 'T',
      ),
    ),
  );
  return states.every((state) => state === 'T');
}
