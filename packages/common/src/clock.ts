/*
 * Two clocks. `performance.now()` counts the time for which this machine was awake: leases, silence and waits go by it, so that a laptop
 * that sleeps with all parts of a run finds them as it left them. `Date.now()` counts the sleep, too, and is set now and then.
 */

/** Notices that this process did not run for a while: it was stopped, or its machine slept. */
export interface FreezeWatch {
  /** This process runs now. It says so more often than the time after which it counts as frozen. */
  noteAwake(): void;
  /** When it was found to be awake again after the last freeze, by performance.now(); -Infinity before the first. */
  wokeAtMs(): number;
}

/**
 * A process that says nothing for `frozenMs` by either clock was frozen. A wall clock that is set forward looks like a sleep, which
 * costs a look at whatever the process was to know; one that is set back looks like nothing.
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
