import { createRepeats, describeError, type Logger } from '@fourfold/common';

/*
 * Work that may fail without ending a run: pruning checkpoints, showing pictures, writing the run's record, updating
 * metrics, reports to TensorBoard and MLflow. Its failures are logged, less and less often, and counted.
 */

/** Parts of the housekeeping, as the log and the metric call them. */
export type HousekeepingPart = 'checkpoints' | 'pictures' | 'record' | 'metrics' | 'reports';

export interface Housekeeping {
  /** Run `act`; its synchronous part runs at once. Never rejects. */
  tend(part: HousekeepingPart, act: () => void | Promise<void>): Promise<void>;
  /** How often each part has failed. */
  failures(): Readonly<Record<HousekeepingPart, number>>;
}

export function createHousekeeping(log: Logger): Housekeeping {
  const failures: Record<HousekeepingPart, number> = { checkpoints: 0, pictures: 0, record: 0, metrics: 0, reports: 0 };
  const repeats = createRepeats();

  function failed(part: HousekeepingPart, error: unknown): void {
    failures[part]++;
    const times = repeats(part);
    if (times === undefined) return;
    const reason = describeError(error);
    log.warn({ event: 'housekeeping-failed', part, times, reason }, `housekeeping failed, the run continues: ${part}`);
  }

  return {
    async tend(part, act) {
      try {
        await act();
      } catch (error) {
        failed(part, error);
      }
    },
    failures: () => failures,
  };
}
