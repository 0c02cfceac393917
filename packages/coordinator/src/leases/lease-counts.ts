/** Counts of events of leases and workers. */
export interface LeaseCounts {
  /** Workers that took a seat, and workers that left or lost it. */
  joined: number;
  left: number;
  granted: number;
  /** Granted again after another worker had the task: that worker was lost, or its answer was unusable. */
  moved: number;
  /** Granted to an idle worker because another was slow. */
  straggling: number;
  /** Answers whose token was no longer valid. */
  refused: number;
  /** Useless answers. */
  rejected: number;
}

/** Nothing has happened yet. */
export const noLeases = (): LeaseCounts => ({
  joined: 0,
  left: 0,
  granted: 0,
  moved: 0,
  straggling: 0,
  refused: 0,
  rejected: 0,
});
