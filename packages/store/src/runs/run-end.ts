import { z } from '@fourfold/common/zod';
import { totalIterations, type RunConfig } from '@fourfold/common';
import { getJson, unlessLost } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { newestTermNumber } from './term.js';
import { putInTerm } from './term-put.js';

/*
 * `finished.json` says that a run is over, for parts that start too late to hear it from the coordinator, or never talk to it.
 */

const runEndSchema = z.object({ term: z.int().min(1), iterations: z.int().min(1) });
const runEndKey = 'finished.json';

/** Record that a term has reached the end of the schedule. `mayPublish` throws if a newer term has begun. */
export const markRunEnd = (
  run: ObjectStore,
  term: number,
  config: Pick<RunConfig, 'phases'>,
  mayPublish: () => Promise<void>,
): Promise<void> =>
  putInTerm(run, runEndKey, JSON.stringify({ term, iterations: totalIterations(config) }), mayPublish);

/**
 * Whether a run is over: its newest term has reached the end of a schedule at least as long as this config's. With a newer term or a
 * longer schedule it is not.
 */
export async function isRunOver(run: ObjectStore, config: Pick<RunConfig, 'phases'>): Promise<boolean> {
  const end = await endOfRun(run);
  return end !== undefined && end >= totalIterations(config);
}

/** The iteration at which a run's newest term reached the end of its schedule; undefined if it has not. */
export async function endOfRun(run: ObjectStore): Promise<number | undefined> {
  const end = await readRunEnd(run);
  return end && end.term >= (await newestTermNumber(run)) ? end.iterations : undefined;
}

/** Undefined if it is missing or damaged: the coordinator that is resumed writes it again. */
const readRunEnd = async (run: ObjectStore) => runEndSchema.safeParse(await unlessLost(getJson(run, runEndKey))).data;
