import { checkConditionalPuts, openStore, runStore, tryStore, checkRunPlace } from '@fourfold/store';
import { unlessAborted, type Logger, type RunConfig, sha256 } from '@fourfold/common';
import { readStart, type Start, type StartOptions } from './take-office.js';

/** A run that can start. */
export interface ExaminedRun {
  options: StartOptions;
  /** What it starts from, as known before the term is claimed. */
  start: Start;
}

/**
 * Check what a run needs from its store before the coordinator claims a term: a coordinator that cannot run must not
 * displace one that does. Waits for a store that is away, until `signal` is aborted. Throws as `checkRunPlace`,
 * `readStart`, `tryStore` and `checkConditionalPuts` do.
 */
export async function examineRun(
  config: RunConfig,
  resume: boolean,
  signal: AbortSignal,
  log: Logger,
): Promise<ExaminedRun> {
  const orStopped = <T>(promise: Promise<T>): Promise<T> => unlessAborted(promise, signal);
  const run = runStore(config);
  await orStopped(checkRunPlace(run));
  const datasetSha256 = sha256(await orStopped(openStore(config.dataset).get('manifest.json')));
  await orStopped(tryStore(run, log));
  await orStopped(checkConditionalPuts(run));
  const options = { run, config, datasetSha256, resume, log };
  return { options, start: await orStopped(readStart(options)) };
}
