import { z } from '@fourfold/common/zod';
import { sha256 } from '@fourfold/common';
import { getJson, unlessLost, type ObjectStore, type OutputFolder } from '@fourfold/store';
import { shardSchema, type DatasetShard } from './manifest.js';
import { shardName } from './shard-writer.js';

/*
 * While a dataset is made, each of its shards has a record beside it of the photographs that came before its end. If `prepare` is
 * interrupted, the next one of the same photographs with the same options resumes after the last record. The records are removed when
 * the manifest is written.
 */

const count = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const pairSchema = z.strictObject({
  lr: z.string(),
  values: count,
  of: count,
  largest: count,
  reason: z.string().optional(),
});

/** What became of a photograph. Its digest finds duplicates. */
const processedSchema = z.union([
  z.strictObject({
    file: z.string(),
    digest,
    width: count,
    height: count,
    storedAs: z.enum(['original', 'png', 'tiles']),
    samples: count,
    pair: pairSchema.optional(),
  }),
  z.strictObject({ file: z.string(), digest: digest.optional(), reason: z.string() }),
]);
export type Processed = z.infer<typeof processedSchema>;

const recordSchema = z.strictObject({
  format: z.literal('fourfold-prepare-progress'),
  version: z.literal(1),
  /** SHA-256 of the names and options. */
  task: digest,
  shard: shardSchema,
  /** Since the shard before. */
  processed: z.array(processedSchema),
  /** How many samples of the photograph after these are in this shard and those before. */
  samplesOfNext: count,
});

/** How far a `prepare` has come. */
export interface Progress {
  processed: Processed[];
  shards: DatasetShard[];
  /** Samples of the next photograph that are in the shards already. */
  samplesOfNext: number;
}

/** Identifies a task by all that decides its shards but the content of the photographs. */
export const taskDigest = (task: unknown): string => sha256(JSON.stringify(task));

const recordKey = (shard: number): string => `${shardName(shard)}.progress.json`;
const isRecordKey = (key: string): boolean => /^shard-\d+\.progress\.json$/.test(key);

/** How far an interrupted `prepare` of the same task came; its shards are kept. */
export async function readProgress(store: ObjectStore, out: OutputFolder, task: string): Promise<Progress> {
  const progress: Progress = { processed: [], shards: [], samplesOfNext: 0 };
  const left = new Set(out.left);
  if (left.size === 0) return progress;
  const sizes = new Map((await store.list('')).map(({ key, sizeBytes }) => [key, sizeBytes]));
  for (;;) {
    const key = recordKey(progress.shards.length);
    const record = left.has(key) && sizes.has(key) ? await readRecord(store, key) : undefined;
    const shard = record?.shard;
    if (record?.task !== task || !shard || !left.has(shard.file) || sizes.get(shard.file) !== shard.sizeBytes) break;
    progress.processed.push(...record.processed);
    progress.shards.push(shard);
    progress.samplesOfNext = record.samplesOfNext;
  }
  await out.claim(progress.shards.map(({ file }) => file));
  const records = progress.shards.map((_, shard) => recordKey(shard));
  await out.claimTemporary(records);
  // A record that is not resumed from would describe another task's shard as soon as this task writes its own.
  const stale = out.left.filter((key) => isRecordKey(key) && sizes.has(key) && !records.includes(key));
  for (const key of stale) await out.putTemporary(key, '{}');
  return progress;
}

/** Write the record of the newest of `shards`. */
export async function writeRecord(
  out: OutputFolder,
  task: string,
  { processed, shards, samplesOfNext }: Progress,
): Promise<void> {
  const shard = shards[shards.length - 1];
  const record = { format: 'fourfold-prepare-progress', version: 1, task, shard, processed, samplesOfNext };
  await out.putTemporary(recordKey(shards.length - 1), JSON.stringify(record));
}

const readRecord = async (store: ObjectStore, key: string) =>
  recordSchema.safeParse(await unlessLost(getJson(store, key))).data;
