import { readFileSync } from 'node:fs';
import { type RunConfig } from '@fourfold/common';
import { getJson, unlessLost } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { putInTerm } from './term-put.js';
import { z } from '@fourfold/common/zod';

/*
 * `run.json` says what a run is, for people who find its folder in the store. Each term writes it again.
 */

const runRecordSchema = z.object({
  format: z.literal(1),
  name: z.string(),
  /** When the run's first term began. Below: the term that wrote this record. */
  createdAt: z.string(),
  term: z.int(),
  termBegunAt: z.string(),
  seed: z.int(),
  dataset: z.string(),
  datasetSha256: z.string(),
  /** Of fourfold. */
  version: z.string(),
  /** With all defaults in place. */
  config: z.unknown(),
});

export type RunRecord = z.infer<typeof runRecordSchema>;

const runRecordKey = 'run.json';

/** A run's record; undefined if it has none, or one that this version does not understand. */
export const readRunRecord = async (run: ObjectStore): Promise<RunRecord | undefined> =>
  runRecordSchema.safeParse(await unlessLost(getJson(run, runRecordKey))).data;

/** Write the record of a term at its beginning. `mayPublish` throws if a newer term has begun. */
export async function writeRunRecord(
  run: ObjectStore,
  { config, term, datasetSha256 }: { config: RunConfig; term: number; datasetSha256: string },
  mayPublish: () => Promise<void>,
): Promise<void> {
  const now = new Date().toISOString();
  const record: RunRecord = {
    format: 1,
    name: config.name,
    createdAt: (await readRunRecord(run))?.createdAt ?? now,
    term,
    termBegunAt: now,
    seed: config.seed,
    dataset: config.dataset,
    datasetSha256,
    version: packageVersion(),
    config,
  };
  await putInTerm(run, runRecordKey, JSON.stringify(record, null, 1), mayPublish);
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
