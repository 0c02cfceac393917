import { join } from 'node:path';
import { repository } from '../documented-commands.js';

/** In the repository. */
export const hookPath = 'test/support/unhurried/pause-at-lease.mjs';

/**
 * The environment of a worker that takes a pause at each lease, by the hook of this path: for runs that only have to go on while a test looks at them, and
 * would take all cores. The pause is short beside every silence after which a worker is lost. `options` are Node.js's others.
 */
export const pausing = (path: string, pauseMs: number, options = ''): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `${options} --import=${path}`.trim(),
  FOURFOLD_TEST_PAUSE_MS: String(pauseMs),
  // The hook knows a lease by its line in the log.
  FOURFOLD_LOG: 'debug',
});

/** The same for a process of this machine. */
export const unhurried = pausing(join(repository, hookPath), 100, process.env['NODE_OPTIONS']);
