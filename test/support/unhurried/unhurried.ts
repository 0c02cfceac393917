import { fileURLToPath } from 'node:url';

const hook = fileURLToPath(new URL('pause-at-lease.mjs', import.meta.url));

/** Short beside every silence after which a worker is lost. */
const pauseMs = 100;

/**
 * The environment of a worker that takes a pause at each lease: for runs that only have to go on while a test looks at them, and would
 * take all cores.
 */
export const unhurried: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${hook}`.trim(),
  FOURFOLD_TEST_PAUSE_MS: String(pauseMs),
};
