import { median } from '@fourfold/common';

/** Milliseconds per iteration: of the whole, and the median of each part. */
export interface Timing {
  medianMs: number;
  minMs: number;
  parts: Record<string, number>;
}

/** Median and minimum over iterations, each given as milliseconds by part; a missing part counts as 0. */
export function summarize(iterations: readonly Record<string, number>[]): Timing {
  const totals = iterations.map((parts) => Object.values(parts).reduce((sum, ms) => sum + ms, 0));
  const names = [...new Set(iterations.flatMap((parts) => Object.keys(parts)))];
  return {
    medianMs: median(totals),
    minMs: Math.min(...totals),
    parts: Object.fromEntries(names.map((name) => [name, median(iterations.map((parts) => parts[name] ?? 0))])),
  };
}

/** A stopwatch for iterations whose parts follow one another without a gap. */
export interface Laps {
  /** Begin the first iteration now. */
  start(): void;
  /** The time since the previous lap belongs to `part`; a part may have several laps in an iteration. */
  lap(part: string): void;
  endIteration(): void;
  /** The parts' milliseconds of each iteration that has ended. */
  readonly iterations: readonly Record<string, number>[];
}

export function createLaps(now: () => number): Laps {
  const iterations: Record<string, number>[] = [];
  let current: Record<string, number> = {};
  let last = now();
  return {
    iterations,
    start() {
      last = now();
    },
    lap(part) {
      const at = now();
      current[part] = (current[part] ?? 0) + at - last;
      last = at;
    },
    endIteration() {
      iterations.push(current);
      current = {};
    },
  };
}
