import { randomUUID } from 'node:crypto';
import { z } from '@fourfold/common/zod';
import { FourfoldError, type RunConfig } from '@fourfold/common';
import { getJson, openStore } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';

const termSchema = z.object({
  term: z.int().min(1),
  address: z.string(),
  claimedAt: z.string(),
  /** Unique to this claim: a coordinator that finds another claim in its term shares it. Older releases write none. */
  claim: z.string().optional(),
});
export type Term = z.infer<typeof termSchema>;

/** The store of a run's objects. */
export const runStore = (config: Pick<RunConfig, 'store' | 'name'>): ObjectStore =>
  openStore(config.store).at(`runs/${config.name}`);

const keyOf = (term: number) => `terms/${String(term).padStart(8, '0')}.json`;

/**
 * Claim the next term of office for the coordinator that serves at `address`, by a conditional put: two coordinators that try at
 * once get different terms, and the one with the older term stops. `run` is the run's store.
 */
export async function claimTerm(run: ObjectStore, address: string): Promise<Term> {
  for (let attempt = 0; attempt < 16; attempt++) {
    const claimedAt = new Date().toISOString();
    const term = { term: (await newestTermNumber(run)) + 1, address, claimedAt, claim: randomUUID() };
    try {
      await run.put(keyOf(term.term), JSON.stringify(term), { ifAbsent: true });
      return term;
    } catch (error) {
      if (!(error instanceof FourfoldError && error.code === 'conflict')) throw error;
    }
  }
  throw new FourfoldError('conflict', `${run.url}: other coordinators claimed 16 terms meanwhile`, {
    hint: 'run only one coordinator per run',
  });
}

/** The number of the newest term; 0 before the first. */
export async function newestTermNumber(run: ObjectStore): Promise<number> {
  const keys = (await run.list('terms/')).map(({ key }) => Number(/^terms\/(\d+)\.json$/.exec(key)?.[1] ?? 0));
  return Math.max(0, ...keys);
}

/** The newest term, with the address of its coordinator for workers; undefined before the first. */
export async function newestTerm(run: ObjectStore): Promise<Term | undefined> {
  const number = await newestTermNumber(run);
  return number === 0 ? undefined : readTerm(run, number);
}

/** A term's record. Throws `not-found`. */
export const readTerm = async (run: ObjectStore, term: number): Promise<Term> =>
  termSchema.parse(await getJson(run, keyOf(term)));
