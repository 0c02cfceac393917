import { createFreezeWatch, FourfoldError } from '@fourfold/common';
import type { ObjectStore } from '../objects/types.js';
import { newestTermNumber, readTerm, type Term } from './term.js';

/**
 * Guards a claimed term. A coordinator that was frozen does not know what happened meanwhile, so it asks the guard before it acts for
 * others. A coordinator whose store is unavailable knows that it was awake: nobody can claim a term in a store that is unavailable to
 * all, and if it is unavailable only to this coordinator, the store's patience ends the run. `frozenMs` is the silence after which a process
 * counts as frozen; the guard is asked more often than that.
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
        `term ${term} of ${run.url} ${own ? 'is also held by another coordinator' : 'is gone'}`,
        {
          hint: own
            ? 'run only one coordinator per run, on a store that honours conditional puts'
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
    // While the store is unavailable a look takes long: all calls in the meantime share the next look.
    next ??= underWay
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return check();
      });
    return next;
  };
  return {
    /** Check the store after this call. Throws `conflict` if a newer term was claimed, or another coordinator also claimed this one. */
    check,
    /** Whether this process was awake since the last look that found no newer term. */
    isFresh(): boolean {
      watch.noteAwake();
      return checkedAt >= watch.wokeAtMs();
    },
  };
}

export type TermGuard = ReturnType<typeof createTermGuard>;
