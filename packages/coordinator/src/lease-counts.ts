/** What has happened to leases and workers so far. */
export interface LeaseCounts {
  /** Workers that took a seat, and that lost or left it. */
  joined: number;
  left: number;
  granted: number;
  /** Granted again after another worker had the task: it was lost, or its answer of no use. */
  moved: number;
  /** Granted to an idle worker because another is slow. */
  straggling: number;
  /** Answers whose token was not valid any more. */
  refused: number;
  /** Answers that were of no use. */
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
