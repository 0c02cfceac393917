import type { Rectangle } from '@fourfold/imaging';
import { npyHeaderBytes } from './npy.js';

/** Where a sample's pixels lie in its shard's file. */
export interface PixelPlace {
  /** Of the HR picture. */
  width: number;
  height: number;
  /** The part of the HR picture that crops are taken from. */
  core: Rectangle;
  /** Of the first HR pixel, and of the first LR pixel; the rows follow without gaps. */
  hrOffset: number;
  lrOffset: number;
}

/** The size of a tar's blocks in bytes. */
export const tarBlock = 512;
export const pixelBytes = 3;

/** LR pixels of a side. */
export const lrSide = (side: number): number => Math.ceil(side / 4);

/** Bytes of a tar's member of this size, with its header and padding. */
export const memberBytes = (sizeBytes: number): number => tarBlock * (1 + Math.ceil(sizeBytes / tarBlock));

/** Bytes of the `.npy` file of a picture. */
export const npyBytes = (width: number, height: number): number => npyHeaderBytes + width * height * pixelBytes;

/** Where the pixels of a sample lie that begins at `begin`: the HR member, then the LR member. */
export function pixelOffsets(begin: number, width: number, height: number): { hrOffset: number; lrOffset: number } {
  const head = tarBlock + npyHeaderBytes;
  const lrBegin = begin + memberBytes(npyBytes(width, height));
  return { hrOffset: begin + head, lrOffset: lrBegin + head };
}

/** Where a sample with these pixels begins. */
export const sampleBegin = ({ hrOffset }: PixelPlace): number => hrOffset - npyHeaderBytes - tarBlock;

/**
 * The index of a shard in the manifest: for each sample where it begins in the tar, the size of its HR picture and the core, as numbers
 * with spaces between them. A string, so that a manifest of hundreds of thousands of samples is parsed at once and decoded shard by shard.
 */
export const encodePixelIndex = (places: readonly PixelPlace[]): string =>
  places
    .map((place) => {
      const { width, height, core } = place;
      return [sampleBegin(place), width, height, core.left, core.top, core.width, core.height].join(' ');
    })
    .join(',');

/**
 * Read a shard's index. Crops of up to `minimumSide` pixels that lie in a core are then within the sample, and samples within the
 * shard. Throws an `Error` with the reason.
 */
export function decodePixelIndex(text: string, shard: { samples: number; sizeBytes: number }, minimumSide: number) {
  let end = 0;
  const places = text.split(',').map((entry, i): PixelPlace => {
    const numbers = entry.split(' ').map(Number);
    const [begin, width, height, left, top, coreWidth, coreHeight] = numbers;
    const isWhole = numbers.length === 7 && numbers.every((value) => Number.isSafeInteger(value) && value >= 0);
    const place = {
      width,
      height,
      core: { left, top, width: coreWidth, height: coreHeight },
      ...pixelOffsets(begin, width, height),
    };
    const fits = left + coreWidth <= width && top + coreHeight <= height && left % 4 === 0 && top % 4 === 0;
    const isLarge = Math.min(coreWidth, coreHeight) >= minimumSide;
    if (!isWhole || !fits || !isLarge || begin < end) throw new Error(`entry ${i} of its index is wrong`);
    end = place.lrOffset + lrSide(width) * lrSide(height) * pixelBytes;
    return place;
  });
  if (places.length !== shard.samples) throw new Error(`its index has ${places.length} samples, not ${shard.samples}`);
  if (end > shard.sizeBytes) throw new Error('its index points beyond its end');
  return places;
}
