import { z } from 'zod';
import type { PhaseConfig, RunConfig } from './config/schema.js';
import { FourfoldError } from './errors.js';
import { getJson, type ObjectStore } from './object-store.js';
import { newestTermNumber } from './term.js';
import { putInTerm } from './term-put.js';

/*
 * `finished.json` says that a run is over, for parts that came too late to hear it from the coordinator, or that never talk to it.
 */

const runEndSchema = z.object({ term: z.int().min(1), iterations: z.int().min(1) });
const runEndKey = 'finished.json';

/** Iterations of all phases. */
export const totalIterations = ({ phases }: { phases: readonly PhaseConfig[] }): number =>
  phases.reduce((sum, { iterations }) => sum + iterations, 0);

/** Write that a term has come to the schedule's end. `mayPublish` throws when a newer one has begun. */
export const markRunEnd = (
  run: ObjectStore,
  term: number,
  config: Pick<RunConfig, 'phases'>,
  mayPublish: () => Promise<void>,
): Promise<void> =>
  putInTerm(run, runEndKey, JSON.stringify({ term, iterations: totalIterations(config) }), mayPublish);

/**
 * Whether a run is over: its newest term has come to the end of a schedule that is as long as this config's. A newer term, or a
 * longer schedule, goes on.
 */
export async function isRunOver(run: ObjectStore, config: Pick<RunConfig, 'phases'>): Promise<boolean> {
  const end = await readRunEnd(run);
  if (!end || end.iterations < totalIterations(config)) return false;
  return end.term >= (await newestTermNumber(run));
}

async function readRunEnd(run: ObjectStore) {
  try {
    return runEndSchema.parse(await getJson(run, runEndKey));
  } catch (error) {
    if (error instanceof FourfoldError && error.code === 'not-found') return undefined;
    throw error;
  }
}
