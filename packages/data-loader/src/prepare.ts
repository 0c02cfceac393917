import { availableParallelism } from 'node:os';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError, permutation, randomStream, sha256, type ObjectStore } from '@fourfold/common';
import { convert, type Converted, type StoredAs } from './convert.js';
import { isPictureName, listFiles } from './list-pictures.js';
import { manifestKey, type DatasetManifest, type DatasetShard } from './manifest.js';
import { createShardWriter } from './shard-writer.js';
import { smallestTile, tileMargin } from './tiles.js';

export interface PrepareOptions {
  /** Folder of photographs, searched with the folders below it. */
  images: string;
  /** The dataset's place. */
  store: ObjectStore;
  name: string;
  /** Largest side in pixels before a picture is cut into tiles; a multiple of 4. Nothing is cut where it is missing. */
  tile?: number;
  /** How many photographs to take at random. All where it is missing. */
  sample?: number;
  /** Decides the sample and the order of the photographs in the shards. */
  seed: number;
  /** Pictures with a shorter side are left out; crops cannot be larger. */
  minimumSide: number;
  shardSizeBytes: number;
  onProgress?: (progress: PrepareProgress) => void;
  signal?: AbortSignal;
}

/** Photographs looked at so far, of how many, and how many of them were taken. */
export interface PrepareProgress {
  seen: number;
  total: number;
  taken: number;
  shards: number;
}

/** What a dataset was made of: every file that was looked at is in `taken` or in `left`. */
export interface PrepareReport {
  taken: { file: string; width: number; height: number; storedAs: StoredAs; samples: number }[];
  left: { file: string; reason: string }[];
  /** Files that a sample had no need of. */
  notSampled: number;
  manifest: DatasetManifest;
}

/** What `fourfold prepare` does where nothing else is asked for. */
export const prepareDefaults = { seed: 0, minimumSide: 96, shardSizeBytes: 32 * 2 ** 20 };

/**
 * Make a dataset of a folder of photographs: WebDataset shards, and the manifest last, so that an interrupted one leaves
 * no dataset. The photographs lie in the shards in random order, since a window of neighbours in a folder (of one class,
 * say) would make poor batches. Files that cannot be used are left out and reported. Throws `conflict` where a dataset is
 * already, `invalid` where no photograph can be used, `no-space` where the disk is full.
 */
export async function prepare(options: PrepareOptions): Promise<PrepareReport> {
  const { images, store, name, tile, sample, seed, minimumSide, shardSizeBytes, onProgress, signal } = options;
  checkTile(tile, minimumSide);
  await clearPlace(store);
  const files = await listFiles(images);
  const named = files.filter(isPictureName);
  const order = Array.from(permutation(named.length, randomStream('prepare', seed)), (index) => named[index]);
  const writer = createShardWriter(store, shardSizeBytes);
  const taken: PrepareReport['taken'] = [];
  const left = files
    .filter((file) => !isPictureName(file))
    .map((file) => ({ file, reason: 'not named like a picture' }));
  let seen = 0;
  for await (const { file, converted, reason } of convertInOrder(order, options)) {
    signal?.throwIfAborted();
    seen++;
    if (converted) {
      const { width, height, storedAs, samples } = converted;
      for (const stored of samples) await writer.add(stored);
      taken.push({ file, width, height, storedAs, samples: samples.length });
    } else {
      left.push({ file, reason });
    }
    onProgress?.({ seen, total: order.length, taken: taken.length, shards: writer.shardCount() });
    if (taken.length === sample) break;
  }
  if (taken.length === 0) throw nothingUsable(images, left);
  const shards = await writer.finish();
  const manifest: DatasetManifest = {
    format: 'fourfold-dataset',
    version: 1,
    name,
    pictures: taken.length,
    samples: shards.reduce((sum, shard: DatasetShard) => sum + shard.samples, 0),
    minimumSide,
    tile: tile === undefined ? null : { size: tile, margin: tileMargin },
    shards,
  };
  await store.put(manifestKey, JSON.stringify(manifest, null, 2));
  taken.sort(byFile);
  left.sort(byFile);
  return { taken, left, notSampled: order.length - seen, manifest };
}

const byFile = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1);

type Outcome =
  { file: string; converted: Converted; reason?: undefined } | { file: string; converted?: undefined; reason: string };

/** Convert files, several at a time, and give them out in their order. Of files with the same bytes the first counts. */
async function* convertInOrder(files: string[], options: PrepareOptions): AsyncGenerator<Outcome> {
  const firstWith = new Map<string, string>();
  const together = availableParallelism();
  for (let start = 0; start < files.length; start += together) {
    const read = await Promise.all(
      files
        .slice(start, start + together)
        .map(async (file) => ({ file, bytes: await readOrReason(options.images, file) })),
    );
    const outcomes = read.map(async ({ file, bytes }): Promise<Outcome> => {
      if (typeof bytes === 'string') return { file, reason: bytes };
      const digest = sha256(bytes);
      const first = firstWith.get(digest);
      if (first !== undefined) return { file, reason: `duplicate of ${first}` };
      firstWith.set(digest, file);
      try {
        return { file, converted: await convert(file, bytes, options) };
      } catch (error) {
        if (error instanceof FourfoldError && error.code === 'invalid') return { file, reason: error.message };
        throw error;
      }
    });
    yield* await Promise.all(outcomes);
  }
}

async function readOrReason(folder: string, file: string): Promise<Buffer | string> {
  return readFile(join(folder, file)).catch((error: unknown) => `cannot be read: ${String(error)}`);
}

function checkTile(tile: number | undefined, minimumSide: number): void {
  const smallest = smallestTile(minimumSide);
  if (tile === undefined || (tile % 4 === 0 && tile >= smallest)) return;
  const reason = `must be a multiple of 4 and at least ${smallest}, so that crops of ${minimumSide} pixels fit`;
  throw new FourfoldError('invalid', `--tile ${tile}: ${reason}`);
}

/** Refuse a place that holds a dataset; remove the shards that an interrupted `prepare` left. */
async function clearPlace(store: ObjectStore): Promise<void> {
  const found = await store.list('');
  if (found.some(({ key }) => key === manifestKey)) {
    throw new FourfoldError('conflict', `${store.url} holds a dataset already`, {
      mend: 'remove it or prepare into another folder',
    });
  }
  for (const { key } of found) if (/^shard-\d{6}\.tar$/.test(key)) await store.remove(key);
}

function nothingUsable(images: string, left: PrepareReport['left']): FourfoldError {
  const first = left.length > 0 ? `; the first: ${left[0].file}: ${left[0].reason}` : '';
  return new FourfoldError(
    'invalid',
    `folder ${images} has no usable photograph (${left.length} files left out${first})`,
    {
      mend: 'name a folder of JPEG, PNG, WebP or TIFF photographs',
    },
  );
}
