import { FourfoldError } from '@fourfold/common';
import type { SampleInfo } from './manifest.js';
import { cropPicture, decodePicture, encodePng, readHeader, cutTiles } from '@fourfold/imaging';
import type { StoredSample } from '../shards/shard.js';

/** How a photograph is stored: its own bytes, losslessly as PNG, or as several lossless tiles. */
export type StoredAs = 'original' | 'png' | 'tiles';

/** A photograph ready to be stored; its samples have no keys yet. */
export interface Converted {
  width: number;
  height: number;
  storedAs: StoredAs;
  samples: Omit<StoredSample, 'key'>[];
}

export interface ConvertOptions {
  /** Largest core side in pixels; pictures that exceed it are cut. */
  tile?: number;
  minimumSide: number;
}

/**
 * Turn a picture file into samples. JPEGs and PNGs that are already 8-bit RGB keep their bytes; everything else, including
 * tiles, is stored losslessly. Throws `invalid` with the reason for a file that cannot be used.
 */
export async function convert(source: string, bytes: Buffer, options: ConvertOptions): Promise<Converted> {
  const { tile, minimumSide } = options;
  const header = await readHeader(bytes);
  const picture = await decodePicture(bytes);
  const { width, height } = picture;
  if (Math.min(width, height) < minimumSide) {
    throw new FourfoldError('invalid', `too small: ${width}x${height}, both sides must be at least ${minimumSide}`);
  }
  const whole = { left: 0, top: 0, width, height };
  if (tile !== undefined && Math.max(width, height) > tile) {
    const samples = cutTiles(width, height, tile).map(async ({ place, core }) =>
      pngSample(await encodePng(cropPicture(picture, place)), { source, place, core }),
    );
    return { width, height, storedAs: 'tiles', samples: await Promise.all(samples) };
  }
  const info = { source, place: whole, core: whole };
  if (!header.keepsBytes) {
    return { width, height, storedAs: 'png', samples: [pngSample(await encodePng(picture), info)] };
  }
  const extension = header.format === 'jpeg' ? ('jpg' as const) : ('png' as const);
  return { width, height, storedAs: 'original', samples: [{ extension, bytes, info }] };
}

const pngSample = (bytes: Buffer, info: SampleInfo) => ({ extension: 'png' as const, bytes, info });
