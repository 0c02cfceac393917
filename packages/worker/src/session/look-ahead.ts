import { availableParallelism } from 'node:os';
import type { Logger, RunConfig } from '@fourfold/common';
import { checkMeasurable, withName, type Picture } from '@fourfold/imaging';
import { tryShardCache, type MeasuredSet, type SourceFile } from '@fourfold/data-loader';
import { checkLpipsSize, lpipsNetworks } from '@fourfold/weights';
import { openValidation } from '../evaluation/validation.js';
import { readContentFile, readMeasureFile } from '../compute/feature-files.js';

/*
 * Checks, before a run starts, everything that it will need on a machine that computes for it, so that none of it ends the run hours in.
 */

export interface LookOptions {
  /** How long to decode pictures; the rest are only listed. */
  decodeMs: number;
  signal: AbortSignal;
  log?: Logger;
}

/** What the check has read and the run will use. */
export interface Findings {
  vggBytes?: Buffer;
  lpipsBytes?: Buffer;
  /** Hashes of both, as far as there are any; empty without. */
  featureWeights: string;
}

/**
 * Check the shard cache, the weights of the feature network and the validation pictures that a config names: each must exist, be
 * usable and, where needed, writable. Throws `invalid`, `not-found`, `corrupt` or `no-space`.
 */
export async function lookAhead(config: RunConfig, { decodeMs, signal, log }: LookOptions): Promise<Findings> {
  if (config.batches.from === 'shards') await tryShardCache(config);
  const content = await readContentFile(config);
  const measure = await readMeasureFile(config);
  const featureWeights = [content && `content ${content.hash}`, measure && `LPIPS ${measure.hash}`]
    .filter((part) => part !== undefined)
    .join(' and ');
  const findings = { vggBytes: content?.bytes, lpipsBytes: measure?.bytes, featureWeights };
  if (!config.validation) return findings;
  const { lpips } = config.validation;
  const set = await openValidation(config.validation.images);
  try {
    const check = (picture: Picture) => {
      checkMeasurable(picture);
      // What is measured is cropped to multiples of 4.
      const [width, height] = [picture.width, picture.height].map((side) => side - (side % 4));
      if (lpips) checkLpipsSize(lpipsNetworks[lpips], { width, height });
    };
    const decoded = await decodeWithin(set, { decodeMs, signal, check });
    const { photographs, left } = set;
    const counts = { pictures: photographs.length, decoded, left: left.length };
    const { images } = config.validation;
    log?.info(
      { event: 'validation', images, ...counts, leftOut: left.slice(0, mostListed) },
      'validation pictures checked',
    );
  } finally {
    await set.close();
  }
  return findings;
}

/** Files left out that the log lists with their reasons. */
const mostListed = 20;
/** Decoded pictures in memory at once. */
const mostAtOnce = 4;

/** Decode pictures, several at a time; returns how many there was time for. */
async function decodeWithin(
  set: MeasuredSet,
  { decodeMs, signal, check }: Pick<LookOptions, 'decodeMs' | 'signal'> & { check: (picture: Picture) => void },
): Promise<number> {
  const { photographs } = set;
  const together = Math.min(mostAtOnce, availableParallelism());
  const endMs = performance.now() + decodeMs;
  let decoded = 0;
  while (decoded < photographs.length && performance.now() < endMs) {
    signal.throwIfAborted();
    const next = photographs.slice(decoded, decoded + together);
    await Promise.all(next.map((photograph) => checkPicture(set, photograph, check)));
    decoded += next.length;
  }
  return decoded;
}

async function checkPicture(
  set: MeasuredSet,
  photograph: SourceFile,
  check: (picture: Picture) => void,
): Promise<void> {
  const picture = await set.decode(photograph);
  await withName(set.title(photograph), Promise.resolve(picture).then(check));
}
