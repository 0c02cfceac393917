import type { GradientSource } from '../exchange/gradient-pieces.js';
import type { Updater } from './types.js';

/**
 * What an update spends its time on. Of concurrent parts the first counts, so that they add up to the update's time:
 * Adam; adding gradients (which includes reading those in shared memory); bytes in transit while nothing can be added;
 * and waiting for workers, when nothing else happens.
 */
export const updateParts = ['applying', 'reducing', 'transferring', 'waiting'] as const;
export type UpdatePart = (typeof updateParts)[number];
export type UpdateSeconds = Record<UpdatePart, number>;

/** Measures where the time of updates goes. */
export interface UpdateClock {
  /** An update begins. */
  begin(): void;
  /** The update is over. Returns the seconds that it took, by part. */
  end(): UpdateSeconds;
  /** Count the time of `act` as this part. */
  during<T>(part: UpdatePart, act: () => T | Promise<T>): Promise<T>;
  /** The same source, with waits for its pieces counted as transfers. */
  transfers(source: GradientSource): GradientSource;
  /** The same updater, with its additions counted as reduction. */
  reductions(updater: Updater): Updater;
}

// eslint-disable-next-line max-lines-per-function -- short functions that share the times
export function createUpdateClock(now: () => number = () => performance.now()): UpdateClock {
  const underWay = zero();
  let spentMs = zero();
  let lastMs = now();

  const turn = (): void => {
    const nowMs = now();
    spentMs[updateParts.find((part) => underWay[part] > 0) ?? 'waiting'] += nowMs - lastMs;
    lastMs = nowMs;
  };
  const enter = (part: UpdatePart): void => {
    turn();
    underWay[part]++;
  };
  const leave = (part: UpdatePart): void => {
    turn();
    underWay[part]--;
  };
  const during: UpdateClock['during'] = async (part, act) => {
    enter(part);
    try {
      return await act();
    } finally {
      leave(part);
    }
  };

  return {
    begin() {
      [spentMs, lastMs] = [zero(), now()];
    },
    end() {
      turn();
      return mapParts((part) => spentMs[part] / 1000);
    },
    during,
    transfers: (source) =>
      async function* (options) {
        const pieces = source(options)[Symbol.asyncIterator]();
        try {
          for (;;) {
            const next = await during('transferring', () => pieces.next());
            if (next.done) return;
            yield next.value;
          }
        } finally {
          await pieces.return?.();
        }
      },
    reductions: (updater) => ({
      ...updater,
      accumulate(...args) {
        enter('reducing');
        const isFinite = updater.accumulate(...args);
        leave('reducing');
        return isFinite;
      },
      accumulateShared: (...args) => during('reducing', () => updater.accumulateShared(...args)),
      accumulateFactors: (...args) => during('reducing', () => updater.accumulateFactors(...args)),
    }),
  };
}

const mapParts = (of: (part: UpdatePart) => number): UpdateSeconds =>
  Object.fromEntries(updateParts.map((part) => [part, of(part)])) as UpdateSeconds;
const zero = (): UpdateSeconds => mapParts(() => 0);
