import { setTimeout as delay } from 'node:timers/promises';
import { createRepeats, FourfoldError, totalIterations, type Logger, type RunConfig } from '@fourfold/common';
import { howToLengthen } from '@fourfold/store';
import type { SessionEnd } from './session.js';

const retryMs = { first: 100, longest: 2_000 };

export interface Coordinators {
  config: Pick<RunConfig, 'name' | 'phases' | 'timing'>;
  /** The newest coordinator's address, if there is one. */
  find: () => Promise<string | undefined>;
  serveOne: (address: string, signal: AbortSignal) => Promise<SessionEnd & { joined: boolean }>;
  /** The iteration at which the run's newest term reached its end, if it has. */
  endedAt: () => Promise<number | undefined>;
  signal: AbortSignal;
  log: Logger;
}

/**
 * Serve one coordinator after another until the run is over. Throws `unavailable` when none is found for `timing.patienceMs`. A run
 * that has ended before this config's schedule does may be resumed: its coordinator is waited for like any other.
 */
export async function serveUntilOver({ config, find, serveOne, endedAt, signal, log }: Coordinators): Promise<void> {
  const { name: run, timing } = config;
  const iterations = totalIterations(config);
  let aloneSinceMs = performance.now();
  let repeats = createRepeats();
  for (let waitMs = retryMs.first; ; waitMs = Math.min(retryMs.longest, waitMs * 2)) {
    const address = await find();
    let end: number | undefined;
    if (address) {
      const triedMs = performance.now();
      const { joined, ended, reason } = await serveOne(address, signal);
      if (ended) return log.info({ event: 'run-over', reason }, `run ${run} is over: ${reason}`);
      if (joined) {
        aloneSinceMs = performance.now();
        repeats = createRepeats();
        log.warn({ event: 'coordinator-lost', address, reason }, 'coordinator lost');
      }
      // A coordinator that accepts it and loses it at once is not retried without pause.
      if (joined && aloneSinceMs - triedMs > retryMs.longest) waitMs = retryMs.first;
      end = await endedAt();
      if (end !== undefined && end >= iterations) {
        const what = `run ${run} is over: it finished at iteration ${end}; to train it further, ${howToLengthen(config)}`;
        return log.info({ event: 'run-over', iteration: end }, what);
      }
      const times = joined ? undefined : repeats(address);
      if (times) logAlone({ address, reason, times, end, iterations }, run, log);
    }
    if (performance.now() - aloneSinceMs > timing.patienceMs) throw nobodyFound(run, timing.patienceMs, end);
    await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** No coordinator is there: it has been lost, or the run waits for one that lengthens it. */
function logAlone(
  { end, iterations, ...about }: { address: string; reason: string; times: number; end?: number; iterations: number },
  run: string,
  log: Logger,
): void {
  if (end === undefined) log.warn({ event: 'coordinator-away', ...about }, 'the coordinator is not reached');
  else {
    const what = `run ${run} finished at iteration ${end}, and this config has ${iterations}: waiting for a coordinator that resumes it`;
    log.info({ event: 'run-finished-before', iteration: end, iterations, times: about.times }, what);
  }
}

function nobodyFound(run: string, patienceMs: number, end: number | undefined): FourfoldError {
  const finished = end === undefined ? '' : `; the run finished at iteration ${end}`;
  return new FourfoldError('unavailable', `no coordinator of run ${run} was found for ${patienceMs} ms${finished}`, {
    hint: `start one with ${end === undefined ? '`fourfold coordinator`' : '`fourfold coordinator --resume` and a longer schedule'}`,
  });
}
