import { readFile } from 'node:fs/promises';
import { z } from '@fourfold/common/zod';
import { baseNameSchema, FourfoldError, sha256 } from '@fourfold/common';
import { getJson, type ObjectStore } from '@fourfold/store';

/** Where a dataset's manifest lies, relative to the dataset. It is written last: a dataset without one is unfinished. */
export const manifestKey = 'manifest.json';

const count = z.int().min(0);
const datasetFormat = z.literal('fourfold-dataset');

const firstShardSchema = z.strictObject({
  file: baseNameSchema,
  sizeBytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  samples: z.int().min(1),
});

const firstVersionSchema = z.strictObject({
  format: datasetFormat,
  version: z.literal(1),
  name: z.string(),
  /** Photographs taken. */
  pictures: z.int().min(1),
  /** Files that were left out; datasets of earlier versions do not say. */
  leftOut: count.optional(),
  /** Stored pictures: a tiled photograph gives several. */
  samples: z.int().min(1),
  /** Width and height of every sample's core are at least this, in pixels. */
  minimumSide: z.int().min(1),
  /** How large pictures were cut: the largest core side, and the pixels of neighbours around a core; null if they were not cut. */
  tile: z.strictObject({ size: count, margin: count }).nullable(),
  shards: z.array(firstShardSchema).min(1),
});

/** How a dataset stores pictures: `keep` as they were found, or lossless; `pixels` uncompressed, HR and LR. */
export const encodings = ['keep', 'pixels'] as const;

/** `index` says where a shard's pixels lie (shards/pixel-index.ts). */
export const shardSchema = firstShardSchema.extend({ index: z.string().optional() });

const manifestSchema = firstVersionSchema.extend({
  version: z.literal(2),
  encoding: z.enum(encodings),
  /** The LR pictures came with the photographs; else they are bicubic. */
  lr: z.literal('given').optional(),
  shards: z.array(shardSchema).min(1),
});

const rectangleSchema = z.strictObject({ left: count, top: count, width: count, height: count });

/** A sample's JSON member, beside its picture. */
export const sampleInfoSchema = z.strictObject({
  /** The original, relative to the folder that was prepared. */
  source: z.string(),
  /** Where the stored picture is in the original (after EXIF rotation). */
  place: rectangleSchema,
  /** The part of the stored picture that crops are taken from; the pixels around it are read only by the down-sampling. */
  core: rectangleSchema,
});

export type DatasetManifest = z.infer<typeof manifestSchema>;
export type DatasetShard = DatasetManifest['shards'][number];
export type Encoding = DatasetManifest['encoding'];
export type SampleInfo = z.infer<typeof sampleInfoSchema>;

/** Whether a file is the manifest of a dataset, of any version. */
export async function isDatasetManifest(path: string): Promise<boolean> {
  try {
    return z.object({ format: datasetFormat }).safeParse(JSON.parse(await readFile(path, 'utf8'))).success;
  } catch {
    return false;
  }
}

/**
 * Read a dataset's manifest, of any version. Throws `not-found` if there is no finished dataset, `invalid` for another file of that name,
 * `mismatch` for another version of the format and `corrupt` for a manifest that is inconsistent.
 */
export async function readDatasetManifest(store: ObjectStore): Promise<DatasetManifest> {
  const hint = 'write it with `fourfold prepare`';
  const found = await getJson(store, manifestKey).catch((cause: unknown) => {
    if (!(cause instanceof FourfoldError) || cause.code !== 'not-found') throw cause;
    throw new FourfoldError('not-found', `no dataset at ${store.url}: there is no ${manifestKey}`, { hint });
  });
  const head = z.object({ format: datasetFormat, version: z.number() }).safeParse(found);
  if (!head.success)
    throw new FourfoldError('invalid', `${store.url}/${manifestKey} is not a dataset manifest`, { hint });
  const { version } = head.data;
  if (version !== 1 && version !== 2) {
    const reason = `format version ${version}, this program reads 1 and 2`;
    throw new FourfoldError('mismatch', `dataset ${store.url}: ${reason}`, { hint });
  }
  const parsed = version === 1 ? firstVersionSchema.safeParse(found) : manifestSchema.safeParse(found);
  const reason = parsed.success ? inconsistency(parsed.data) : z.prettifyError(parsed.error);
  if (!parsed.success || reason !== undefined) {
    throw new FourfoldError('corrupt', `${store.url}/${manifestKey}: ${reason}`, { hint });
  }
  return parsed.data.version === 2 ? parsed.data : { ...parsed.data, version: 2, encoding: 'keep' };
}

/** What contradicts itself in a manifest, if anything does. */
function inconsistency(manifest: DatasetManifest | z.infer<typeof firstVersionSchema>): string | undefined {
  if (sum(manifest.shards.map(({ samples }) => samples)) !== manifest.samples) {
    return 'its shards do not add up to its samples';
  }
  if (manifest.version === 1) return undefined;
  if (manifest.encoding === 'keep') return manifest.lr && 'LR pictures cannot be given in encoding keep';
  const unindexed = manifest.shards.find(({ index }) => index === undefined);
  return unindexed && `its ${unindexed.file} has no index`;
}

/** SHA-256 of everything in a dataset that decides its batches: manifests with equal digests give equal batches. */
export function datasetDigest(manifest: DatasetManifest): string {
  return sha256(JSON.stringify(manifest.shards.map((shard) => [shard.sha256, shard.samples])));
}

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
