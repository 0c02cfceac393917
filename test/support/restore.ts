import { afterAll, vi } from 'vitest';

/*
 * Runs in each file of unit tests that share a process: nothing that one has replaced is left to the next.
 */
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});
