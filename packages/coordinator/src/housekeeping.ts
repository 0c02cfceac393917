import { createRepeats, describeError, type Logger } from '@fourfold/common';

/*
 * What a run can go on without: old checkpoints that are not removed, pictures that nobody sees, a metric that is not told. It
 * never ends a run: its failures are logged, ever more seldom, and counted.
 */

/** Parts of the housekeeping, as the log and the metric call them. */
export const housekeepingParts = ['checkpoints', 'pictures', 'record', 'metrics'] as const;
export type HousekeepingPart = (typeof housekeepingParts)[number];

/** Do something to each, though it may fail for some; then throw the first failure. */
export async function forEachThatCan<T>(items: Iterable<T>, act: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) await act(item).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

export interface Housekeeping {
  /** Do it, at once as far as it needs no waiting. Never rejects. */
  tend(part: HousekeepingPart, act: () => void | Promise<void>): Promise<void>;
  /** How often each part has failed. */
  failures(): Readonly<Record<HousekeepingPart, number>>;
}

export function createHousekeeping(log: Logger): Housekeeping {
  const failures: Record<HousekeepingPart, number> = { checkpoints: 0, pictures: 0, record: 0, metrics: 0 };
  const repeats = createRepeats();

  function failed(part: HousekeepingPart, error: unknown): void {
    failures[part]++;
    const times = repeats(part);
    if (times === undefined) return;
    const reason = describeError(error);
    log.warn({ event: 'housekeeping-failed', part, times, reason }, `the run goes on without: ${part}`);
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
