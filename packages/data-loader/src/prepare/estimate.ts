import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import { readHeader, tileMargin } from '@fourfold/imaging';
import type { ObjectStore } from '@fourfold/store';
import type { SourceFile } from '../sources/source.js';
import type { ConvertOptions } from './convert.js';

/** What a dataset will take, from the sizes of some of its photographs. */
export interface SizeEstimate {
  sizeBytes: number;
  /** What is free where it goes; not known of a bucket. */
  freeBytes?: number;
  /** What an interrupted `prepare` left there: it is kept as a part of the dataset, or replaced. */
  leftBytes?: number;
}

/** Photographs that are looked at; they come in random order. */
const looked = 16;
/** Bytes of a lossless PNG of a photograph for each byte of pixels. */
const pngShare = 0.6;
/** An estimate may be too high by this much: only then is a disk certainly too small. */
const certainShare = 0.7;

/** Estimate the bytes of a dataset of `count` photographs that begin with `files`. */
export async function estimateSize(
  files: readonly SourceFile[],
  count: number,
  options: ConvertOptions & { store: ObjectStore; left: readonly string[] },
): Promise<SizeEstimate> {
  const sizes = await Promise.all(files.slice(0, looked).map((file) => storedBytes(file, options)));
  const mean = sizes.reduce((sum, size) => sum + size, 0) / Math.max(1, sizes.length);
  return { sizeBytes: Math.round(mean * count), ...(await roomAt(options)) };
}

/** Throw `no-space` if a dataset of this size certainly does not fit. */
export function checkRoom({ sizeBytes, freeBytes, leftBytes = 0 }: SizeEstimate, store: ObjectStore): void {
  if (freeBytes === undefined || freeBytes + leftBytes >= certainShare * sizeBytes) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const reason = `the dataset would take about ${gigabytes(sizeBytes)}, but only ${gigabytes(freeBytes)} are free`;
  throw new FourfoldError('no-space', `${store.url}: ${reason}`, {
    hint: 'name a place with more room with --out, take fewer photographs with --sample, or use --encoding keep',
  });
}

/** About what a photograph takes in a shard; nothing if it is left out. */
async function storedBytes(file: SourceFile, { tile, minimumSide, encoding }: ConvertOptions): Promise<number> {
  try {
    const bytes = await file.read();
    const { width, height, keepsBytes } = await readHeader(bytes);
    if (Math.min(width, height) < minimumSide) return 0;
    const isCut = tile !== undefined && Math.max(width, height) > tile;
    const withMargin = isCut ? 1 + (2 * tileMargin) / tile : 1;
    const hrBytes = 3 * width * height * withMargin * withMargin;
    if (encoding === 'pixels') return (hrBytes * 17) / 16;
    return keepsBytes && !isCut ? bytes.length : hrBytes * pngShare;
  } catch (error) {
    if (error instanceof FourfoldError && error.code === 'invalid') return 0;
    throw error;
  }
}

async function roomAt({ store, left }: { store: ObjectStore; left: readonly string[] }) {
  if (!store.filePath) return {};
  const known = new Set(left);
  const found = left.length > 0 ? await store.list('') : [];
  const leftBytes = found.reduce((sum, { key, sizeBytes }) => sum + (known.has(key) ? sizeBytes : 0), 0);
  return { freeBytes: await freeBytesAt(store.filePath('')), leftBytes };
}

async function freeBytesAt(place: string): Promise<number | undefined> {
  // The place itself may not exist yet.
  for (let path = place; ; path = dirname(path)) {
    const found = await statfs(path).catch(() => undefined);
    if (found) return found.bavail * found.bsize;
    if (path === dirname(path)) return undefined;
  }
}
