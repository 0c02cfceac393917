import { z } from 'zod';
import type { RunConfig } from './config/schema.js';
import { FourfoldError } from './errors.js';
import { getJson, openStore, type ObjectStore } from './object-store.js';

const termSchema = z.object({ term: z.int().min(1), address: z.string(), claimedAt: z.string() });
export type Term = z.infer<typeof termSchema>;

/** The store of a run's own objects. */
export const runStore = (config: Pick<RunConfig, 'store' | 'name'>): ObjectStore =>
  openStore(config.store).at(`runs/${config.name}`);

const keyOf = (term: number) => `terms/${String(term).padStart(8, '0')}.json`;

/**
 * Claim the next term of office for the coordinator that serves at `address`: a conditional put, so that of two
 * coordinators that try at once each gets a term of its own and the older one stops. `run` is the run's store.
 */
export async function claimTerm(run: ObjectStore, address: string): Promise<Term> {
  for (let attempt = 0; attempt < 16; attempt++) {
    const term = { term: (await newestTermNumber(run)) + 1, address, claimedAt: new Date().toISOString() };
    try {
      await run.put(keyOf(term.term), JSON.stringify(term), { ifAbsent: true });
      return term;
    } catch (error) {
      if (!(error instanceof FourfoldError && error.code === 'conflict')) throw error;
    }
  }
  throw new FourfoldError('conflict', `${run.url}: other coordinators claimed 16 terms meanwhile`, {
    mend: 'run one coordinator for a run',
  });
}

/** The newest term's number; 0 before the first. */
export async function newestTermNumber(run: ObjectStore): Promise<number> {
  const keys = (await run.list('terms/')).map(({ key }) => Number(/(\d+)\.json$/.exec(key)?.[1] ?? 0));
  return Math.max(0, ...keys);
}

/** The newest term, with the address at which workers find its coordinator; undefined before the first. */
export async function newestTerm(run: ObjectStore): Promise<Term | undefined> {
  const number = await newestTermNumber(run);
  return number === 0 ? undefined : termSchema.parse(await getJson(run, keyOf(number)));
}

/**
 * Watches over a claimed term. A coordinator that was frozen does not know what happened meanwhile: whatever it does for
 * others asks the guard first. One whose store is away does know that it was awake all the time: nobody can have claimed a term
 * in a store that is away for all, and where it is away for this coordinator alone, the store's patience ends the run.
 * `frozenMs` is the silence after which a process counts as having been frozen; the guard is asked more often than that.
 */
export function createTermGuard(run: ObjectStore, term: number, frozenMs: number) {
  let checkedAt = performance.now();
  let awakeAt = checkedAt;
  let wokeAt = -Infinity;
  const noteAwake = () => {
    const now = performance.now();
    if (now - awakeAt >= frozenMs) wokeAt = now;
    awakeAt = now;
  };
  let underWay: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const look = async (): Promise<void> => {
    const startedAt = performance.now();
    const newest = await newestTermNumber(run);
    if (newest > term) {
      throw new FourfoldError(
        'conflict',
        `a newer coordinator (term ${newest}) has taken over from this one (term ${term})`,
      );
    }
    checkedAt = startedAt;
  };
  const check = (): Promise<void> => {
    noteAwake();
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
    /** Look into the store, not before this call. Throws `conflict` when a newer term has been claimed. */
    check,
    /** Whether this process was awake since the last look that found no newer term. */
    isFresh(): boolean {
      noteAwake();
      return checkedAt >= wokeAt;
    },
  };
}
