/*
 * Two clocks. `performance.now()` counts the time this machine was awake. Leases, silence and waits use it, so a laptop that sleeps with
 * all parts of a run finds them as it left them. `Date.now()` also counts sleep, and is adjusted now and then.
 */

/** Notices when this process has not run for a while: it was stopped, or its machine slept. */
export interface FreezeWatch {
  /** Call this more often than the time after which the process counts as frozen. */
  noteAwake(): void;
  /** When it was first seen awake after the last freeze, by performance.now(); -Infinity before the first freeze. */
  wokeAtMs(): number;
}

/**
 * A process that does not call `noteAwake` for `frozenMs` by either clock was frozen. Setting the wall clock forward looks like a sleep,
 * which costs one extra check; setting it back has no effect.
 */
export function createFreezeWatch(frozenMs: number): FreezeWatch {
  const read = () => ({ awakeMs: performance.now(), wallMs: Date.now() });
  let last = read();
  let wokeAtMs = -Infinity;
  return {
    noteAwake() {
      const now = read();
      const gapMs = Math.max(now.awakeMs - last.awakeMs, now.wallMs - last.wallMs);
      if (gapMs >= frozenMs) wokeAtMs = now.awakeMs;
      last = now;
    },
    wokeAtMs: () => wokeAtMs,
  };
}
