import { randomStream, type DataConfig } from '@fourfold/common';
import { blurRadius, downscale, cropPicture, type Picture, type Rectangle } from '@fourfold/imaging';
import type { CropKey } from './sample-order.js';

/** Where a crop is in its stored picture and how it is turned. */
export interface CropPlace {
  /** HR pixels from the stored picture's corner; multiples of 4. */
  left: number;
  top: number;
  /** Mirrored left to right, before the turns. */
  flip: boolean;
  /** Clockwise, 0 to 3. */
  quarterTurns: number;
}

/** An HR crop and its LR crop, a quarter of its side. */
export interface CropPair {
  hr: Picture;
  lr: Picture;
}

/** Reach of the bicubic kernel beyond a block of 4x4 HR pixels: 8 taps on either side of its centre. */
const bicubicReach = 6;

/** HR pixels around a crop that its LR crop depends on, rounded up to a multiple of 4. */
export function readMargin(blurSigma: number): number {
  return 4 * Math.ceil((bicubicReach + blurRadius(blurSigma)) / 4);
}

/**
 * The place of a crop: a pure function of the seed and the crop's key, uniform over the offsets in the core that are
 * multiples of 4. `flips` mirrors half of the crops; `quarterTurns` turns them by 0, 90, 180 or 270 degrees, so that both
 * together give all eight orientations.
 */
export function cropPlace(seed: number, key: CropKey, core: Rectangle, data: DataConfig): CropPlace {
  const random = randomStream('crop', seed, key.epoch, key.shard, key.sample, key.repeat);
  const offset = (side: number) => 4 * random.below(Math.floor((side - data.crop) / 4) + 1);
  return {
    left: core.left + offset(core.width),
    top: core.top + offset(core.height),
    flip: data.flips && random.below(2) === 1,
    quarterTurns: data.quarterTurns ? random.below(4) : 0,
  };
}

/**
 * Cut a training pair of `crop` HR pixels a side. The LR crop is, before the turns, bit for bit the crop of the whole
 * picture's `downscale`: the margin around the crop is read too, cut off only where the picture ends.
 */
export function cropPair(picture: Picture, place: CropPlace, crop: number, blurSigma: number): CropPair {
  const margin = readMargin(blurSigma);
  const left = Math.max(0, place.left - margin);
  const top = Math.max(0, place.top - margin);
  const width = Math.min(picture.width, place.left + crop + margin) - left;
  const height = Math.min(picture.height, place.top + crop + margin) - top;
  const surroundings = cropPicture(picture, { left, top, width, height });
  const lrSide = crop / 4;
  const lr = cropPicture(downscale(surroundings, blurSigma), {
    left: (place.left - left) / 4,
    top: (place.top - top) / 4,
    width: lrSide,
    height: lrSide,
  });
  const hr = cropPicture(surroundings, { left: place.left - left, top: place.top - top, width: crop, height: crop });
  return { hr: orient(hr, place), lr: orient(lr, place) };
}

/** Flip and turn a square picture. */
function orient(picture: Picture, { flip, quarterTurns }: CropPlace): Picture {
  if (!flip && quarterTurns === 0) return picture;
  const side = picture.width;
  const last = side - 1;
  const sourceOf = (x: number, y: number) => {
    const fromX = [x, y, last - x, last - y][quarterTurns];
    const fromY = [y, last - x, last - y, x][quarterTurns];
    return (fromY * side + (flip ? last - fromX : fromX)) * 3;
  };
  const origin = sourceOf(0, 0);
  const stepX = sourceOf(1, 0) - origin;
  const stepY = sourceOf(0, 1) - origin;
  const data = new Uint8Array(picture.data.length);
  let to = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = origin + x * stepX + y * stepY;
      data[to++] = picture.data[from];
      data[to++] = picture.data[from + 1];
      data[to++] = picture.data[from + 2];
    }
  }
  return { data, width: side, height: side };
}
