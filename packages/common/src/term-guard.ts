import { createFreezeWatch } from './clock.js';
import { FourfoldError } from './errors.js';
import type { ObjectStore } from './object-store.js';
import { newestTermNumber, readTerm, type Term } from './term.js';

/**
 * Watches over a claimed term. A coordinator that was frozen does not know what happened meanwhile: whatever it does for
 * others asks the guard first. One whose store is away does know that it was awake all the time: nobody can have claimed a term
 * in a store that is away for all, and where it is away for this coordinator alone, the store's patience ends the run.
 * `frozenMs` is the silence after which a process counts as having been frozen; the guard is asked more often than that.
 */
export function createTermGuard(run: ObjectStore, { term, claim }: Term, frozenMs: number) {
  let checkedAt = performance.now();
  const watch = createFreezeWatch(frozenMs);
  let underWay: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const ownRecord = () =>
    readTerm(run, term).catch((error: unknown) => {
      if (error instanceof FourfoldError && error.code === 'not-found') return undefined;
      throw error;
    });
  const look = async (): Promise<void> => {
    const startedAt = performance.now();
    const [newest, own] = await Promise.all([newestTermNumber(run), ownRecord()]);
    if (newest > term) {
      throw new FourfoldError(
        'conflict',
        `a newer coordinator (term ${newest}) has taken over from this one (term ${term})`,
      );
    }
    if (own?.claim !== claim) {
      throw new FourfoldError(
        'conflict',
        `term ${term} of ${run.url} ${own ? 'is also another coordinator’s' : 'is gone'}`,
        {
          hint: own
            ? 'run one coordinator for a run, on a store that honours conditional puts'
            : 'leave a run’s folder alone while it runs',
        },
      );
    }
    checkedAt = startedAt;
  };
  const check = (): Promise<void> => {
    watch.noteAwake();
    if (!underWay) {
      underWay = look().finally(() => (underWay = undefined));
      return underWay;
    }
    // While the store is away a look takes long: all who ask meanwhile share the one that begins after it.
    next ??= underWay
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return check();
      });
    return next;
  };
  return {
    /** Look into the store, not before this call. Throws `conflict` when a newer term was claimed, or this one by another, too. */
    check,
    /** Whether this process was awake since the last look that found no newer term. */
    isFresh(): boolean {
      watch.noteAwake();
      return checkedAt >= watch.wokeAtMs();
    },
  };
}

export type TermGuard = ReturnType<typeof createTermGuard>;
