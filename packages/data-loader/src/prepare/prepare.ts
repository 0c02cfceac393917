import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FourfoldError, parseS3Url, permutation, randomStream, withResources } from '@fourfold/common';
import { openOutputFolder, type ObjectStore, type OutputFolder } from '@fourfold/store';
import { convertInOrder, type LrPictures, type Outcome } from './conversions.js';
import type { StoredAs } from './convert.js';
import { manifestKey, type DatasetManifest, type Encoding } from './manifest.js';
import { formatsRead, smallestTile, tileMargin } from '@fourfold/imaging';
import { checkRoom, estimateSize, type SizeEstimate } from './estimate.js';
import { readProgress, taskDigest, writeRecord, type Processed } from './progress.js';
import { createShardWriter } from './shard-writer.js';
import { createGivenPairs } from '../sources/given-pairs.js';
import { choosePhotographs, parts, type Part } from '../sources/layouts.js';
import { openSources } from '../sources/open-sources.js';
import type { PairDifference } from '../sources/pairs.js';
import { whyNone, type OnListing, type Source, type SourceFile } from '../sources/source.js';

export interface PrepareOptions {
  /**
   * Photographs: a folder, searched with the folders and archives below it, or a zip or tar, which is read in place; or several of
   * these.
   */
  images: string | readonly string[];
  /** LR pictures to be stored instead of ours, in encoding `pixels`; a folder, zip or tar. */
  pairs?: string;
  /** Which part of a data set that comes in parts, such as DIV2K; by default `train`, or the first that exists. */
  part?: Part | 'all';
  /** Where the dataset is written. */
  store: ObjectStore;
  name: string;
  /** Largest side in pixels before a picture is cut into tiles; a multiple of 4. Nothing is cut if omitted. */
  tile?: number;
  /** How many photographs to take at random; all if omitted. */
  sample?: number;
  /** Decides the sample and the order of the photographs in the shards. */
  seed: number;
  /** Pictures with a shorter side are left out; crops cannot be larger. */
  minimumSide: number;
  /** Of encoded pictures. A shard of pixels holds the samples that a shard of this size would. */
  shardSizeBytes: number;
  encoding: Encoding;
  /** Called before the work begins. */
  onEstimate?: (estimate: SizeEstimate) => void;
  /** Called if the work resumes where an interrupted `prepare` stopped: how many photographs it processed and shards it wrote. */
  onResume?: (done: { photographs: number; shards: number }) => void;
  onProgress?: (progress: PrepareProgress) => void;
  /** Called while archives are listed. */
  onListing?: OnListing;
  signal?: AbortSignal;
}

/** Photographs processed so far, of how many, and how many of them were taken. */
export interface PrepareProgress {
  seen: number;
  total: number;
  taken: number;
  shards: number;
}

/** What a dataset was made of: every file processed is in `taken` or in `left`. */
export interface PrepareReport {
  taken: { file: string; width: number; height: number; storedAs: StoredAs; samples: number }[];
  left: { file: string; reason: string }[];
  /** Files that a sample did not need. */
  notSampled: number;
  /** The data set and its part, if the names are recognised. */
  recognised?: { set: string; part?: Part };
  /** If official LR pictures are beside the photographs taken: how many equal ours bit for bit, and which do not. */
  pairs?: PairsReport;
  manifest: DatasetManifest;
}

export interface PairsReport {
  equal: number;
  different: ({ file: string; lr: string } & PairDifference)[];
}

/** Defaults of `fourfold prepare`. */
export const prepareDefaults = {
  seed: 0,
  minimumSide: 96,
  shardSizeBytes: 32 * 2 ** 20,
  encoding: 'keep' as Encoding,
};

/**
 * Make a dataset of photographs: WebDataset shards, and the manifest last, so that an interrupted run leaves no dataset; the next with
 * the same photographs and options resumes where it stopped. The photographs are in the shards in random order, since a window of
 * neighbours in a folder (of one class, say) would make poor batches; that order, and with it a sample, follows from the seed and the
 * names, wherever they lie. Files that cannot be used are left out and reported. Before any work, throws `invalid` if the place holds
 * a dataset or anything else but the remains of an interrupted `prepare`, or is the place of the photographs; later `invalid` if no
 * photograph can be used, `corrupt` for a damaged archive, `no-space` if the disk is full or certainly too small.
 */
export async function prepare(options: PrepareOptions): Promise<PrepareReport> {
  checkTile(options.tile, options.minimumSide);
  if (options.pairs !== undefined && options.encoding !== 'pixels') {
    throw new FourfoldError('invalid', '--pairs stores LR beside HR, which encoding keep does not', {
      hint: 'use --encoding pixels',
    });
  }
  const images = [options.images].flat();
  const pairs = options.pairs === undefined ? [] : [options.pairs];
  const out = await openPlace(options.store, [...images, ...pairs]);
  return withResources(async (own) => {
    const source = own(await openSources(images, options.onListing), (source) => source.close());
    const lr = pairs.length > 0 ? own(await openSources(pairs, options.onListing), (lr) => lr.close()) : undefined;
    return prepareFrom(source, lr, out, options);
  });
}

async function prepareFrom(
  source: Source,
  lrSource: Source | undefined,
  out: OutputFolder,
  options: PrepareOptions,
): Promise<PrepareReport> {
  const { name, tile, sample, seed, minimumSide, encoding } = options;
  const chosen = choosePhotographs(source, parts, options.part);
  const { photographs, left } = chosen;
  const random = permutation(photographs.length, randomStream('prepare', seed));
  const order = Array.from(random, (index) => photographs[index]);
  const estimate = await estimateSize(order, Math.min(sample ?? order.length, order.length), {
    ...options,
    left: out.left,
  });
  if (estimate.sizeBytes > 0) options.onEstimate?.(estimate);
  checkRoom(estimate, options.store);
  const given =
    lrSource &&
    createGivenPairs(
      lrSource,
      photographs.map(({ name }) => name),
    );
  const progress = await writeShards(order, { official: chosen.lr, given }, out, options);
  const { taken, left: unusable, pairs } = reportOf(progress.processed);
  left.push(...unusable);
  if (taken.length === 0) throw nothingUsable(source.title, left);
  const { shards } = progress;
  const manifest: DatasetManifest = {
    format: 'fourfold-dataset',
    version: 2,
    encoding,
    ...(lrSource && { lr: 'given' as const }),
    name,
    pictures: taken.length,
    leftOut: left.length,
    samples: shards.reduce((sum, shard) => sum + shard.samples, 0),
    minimumSide,
    tile: tile === undefined ? null : { size: tile, margin: tileMargin },
    shards,
  };
  await out.finish(manifestKey, JSON.stringify(manifest, null, 2));
  for (const list of [taken, left, pairs.different]) list.sort(byFile);
  return {
    taken,
    left,
    notSampled: order.length - progress.processed.length,
    ...(chosen.set !== undefined && { recognised: { set: chosen.set, part: chosen.part } }),
    ...(chosen.lr.size > 0 && !lrSource && { pairs }),
    manifest,
  };
}

/** Convert photographs in this order and write shards, from where an interrupted `prepare` of the same task stopped. */
async function writeShards(order: SourceFile[], lr: LrPictures, out: OutputFolder, options: PrepareOptions) {
  const { tile, sample, minimumSide, shardSizeBytes, encoding, onProgress, signal } = options;
  const names = order.map(({ name }) => name);
  // Two data sets often name their files alike.
  const places = [[options.images].flat(), [options.pairs ?? []].flat()].map((group) => group.map(absolute));
  const given = [...(lr.given?.names ?? [])];
  const task = taskDigest({ places, names, sample, tile, minimumSide, shardSizeBytes, encoding, lr: given });
  const progress = await readProgress(options.store, out, task);
  const { processed, shards } = progress;
  if (shards.length > 0) options.onResume?.({ photographs: processed.length, shards: shards.length });
  let recorded = processed.length;
  const onShard = async () => {
    await writeRecord(out, task, { ...progress, processed: processed.slice(recorded) });
    recorded = processed.length;
  };
  const writer = createShardWriter(out, { shardSizeBytes, shards, onShard });
  const firstWith = new Map(processed.flatMap(({ digest, file }) => (digest === undefined ? [] : [[digest, file]])));
  let taken = processed.filter((outcome) => 'samples' in outcome).length;
  const rest = taken === sample ? [] : order.slice(processed.length);
  for await (const outcome of convertInOrder(rest, lr, options, firstWith)) {
    signal?.throwIfAborted();
    const samples = outcome.converted?.samples ?? [];
    for (let i = progress.samplesOfNext; i < samples.length; i++) {
      progress.samplesOfNext = i;
      await writer.add(samples[i]);
    }
    progress.samplesOfNext = 0;
    processed.push(processedOf(outcome));
    if (outcome.converted) taken++;
    onProgress?.({ seen: processed.length, total: order.length, taken, shards: shards.length });
    if (taken === sample) break;
  }
  await writer.finish();
  return progress;
}

/** A place's name wherever the command is run. */
function absolute(place: string): string {
  if (parseS3Url(place)) return place;
  return place.startsWith('file:///') ? fileURLToPath(place) : resolve(place.replace(/^file:/, ''));
}

function processedOf({ file, digest, converted, reason, pair }: Outcome): Processed {
  if (!converted) return { file, digest, reason };
  const { width, height, storedAs, samples } = converted;
  return { file, digest, width, height, storedAs, samples: samples.length, pair };
}

function reportOf(processed: readonly Processed[]) {
  const taken: PrepareReport['taken'] = [];
  const left: PrepareReport['left'] = [];
  const pairs: PairsReport = { equal: 0, different: [] };
  for (const outcome of processed) {
    const { file } = outcome;
    if ('reason' in outcome) {
      left.push({ file, reason: outcome.reason });
      continue;
    }
    const { width, height, storedAs, samples, pair } = outcome;
    taken.push({ file, width, height, storedAs, samples });
    if (pair && (pair.values > 0 || pair.reason !== undefined)) pairs.different.push({ file, ...pair });
    else if (pair) pairs.equal++;
  }
  return { taken, left, pairs };
}

const byFile = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1);

function checkTile(tile: number | undefined, minimumSide: number): void {
  const smallest = smallestTile(minimumSide);
  if (tile === undefined || (tile % 4 === 0 && tile >= smallest)) return;
  const reason = `it must be a multiple of 4 and at least ${smallest}, so that crops of ${minimumSide} pixels fit`;
  throw new FourfoldError('invalid', `--tile is ${tile}: ${reason}`);
}

/** Open the place that the dataset is written to. */
async function openPlace(store: ObjectStore, images: string[]): Promise<OutputFolder> {
  if ((await store.list(manifestKey)).some(({ key }) => key === manifestKey)) {
    throw new FourfoldError('invalid', `${store.url} already holds a dataset`, {
      hint: 'remove it or prepare into another folder',
    });
  }
  return openOutputFolder(store, { inputs: images });
}

function nothingUsable(title: string, left: PrepareReport['left']): FourfoldError {
  return new FourfoldError('invalid', `${title} has no usable photograph${whyNone(left)}`, {
    hint: `name a folder of photographs: ${formatsRead} are supported`,
  });
}
