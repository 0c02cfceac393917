import { FourfoldError } from '@fourfold/common';
import type { Encoding, SampleInfo } from './manifest.js';
import {
  cropPicture,
  cutTiles,
  decodePicture,
  downscale,
  encodePng,
  readHeader,
  type Picture,
} from '@fourfold/imaging';
import type { PackedSample, PicturePair } from '../shards/shard.js';
import { readGivenLr } from '../sources/given-pairs.js';
import type { SourceFile } from '../sources/source.js';
import { lrSide } from '../shards/pixel-index.js';

/** How a photograph is stored: its own bytes, losslessly as PNG, or as several lossless tiles. */
export type StoredAs = 'original' | 'png' | 'tiles';

/** A photograph ready to be stored; its samples have no keys yet. */
export interface Converted {
  width: number;
  height: number;
  storedAs: StoredAs;
  samples: Omit<PackedSample, 'key'>[];
}

export interface ConvertOptions {
  /** Largest core side in pixels; pictures that exceed it are cut. */
  tile?: number;
  minimumSide: number;
  encoding: Encoding;
  /** The photograph's LR picture, if it comes with one that is stored instead of ours. */
  givenLr?: SourceFile;
}

/**
 * Turn a picture file into samples. JPEGs and PNGs that are already 8-bit RGB keep their bytes; everything else, including
 * tiles, is stored losslessly. In encoding `pixels` samples have their pixels, too: their place in the order follows from the encoded
 * size. Throws `invalid` with the reason for a file that cannot be used.
 */
export async function convert(source: string, bytes: Buffer, options: ConvertOptions): Promise<Converted> {
  const { tile, minimumSide, encoding, givenLr } = options;
  const header = await readHeader(bytes);
  const picture = await decodePicture(bytes);
  const { width, height } = picture;
  if (Math.min(width, height) < minimumSide) {
    throw new FourfoldError('invalid', `too small: ${width}x${height}, both sides must be at least ${minimumSide}`);
  }
  const ownLr = () => (encoding === 'pixels' ? downscale(picture, 0) : undefined);
  const lr = givenLr ? await readGivenLr(givenLr, picture) : ownLr();
  const whole = { left: 0, top: 0, width, height };
  if (tile !== undefined && Math.max(width, height) > tile) {
    const samples = cutTiles(width, height, tile).map(async ({ place, core }) => {
      const hr = cropPicture(picture, place);
      return { ...(await pngSample(hr, { source, place, core })), pixels: lr && { hr, lr: lrOf(lr, place) } };
    });
    return { width, height, storedAs: 'tiles', samples: await Promise.all(samples) };
  }
  const info = { source, place: whole, core: whole };
  const pixels: PicturePair | undefined = lr && { hr: picture, lr };
  if (!header.keepsBytes) {
    return { width, height, storedAs: 'png', samples: [{ ...(await pngSample(picture, info)), pixels }] };
  }
  const extension = header.format === 'jpeg' ? ('jpg' as const) : ('png' as const);
  return { width, height, storedAs: 'original', samples: [{ extension, bytes, info, pixels }] };
}

const pngSample = async (picture: Picture, info: SampleInfo) => ({
  extension: 'png' as const,
  bytes: await encodePng(picture),
  info,
});

/** The LR of a tile: a part of the whole picture's LR. Tiles begin at multiples of 4. */
const lrOf = (lr: Picture, { left, top, width, height }: SampleInfo['place']): Picture =>
  cropPicture(lr, { left: left / 4, top: top / 4, width: lrSide(width), height: lrSide(height) });
