import { randomStream, type DataConfig } from '@fourfold/common';
import { blurRadius, downscale, cropPicture, type Picture, type Rectangle } from '@fourfold/imaging';
import { cropCutter, type Orientation } from './crop-cutter.js';
import type { CropKey } from './sample-order.js';

/** Where a crop is in its stored picture and how it is turned. */
export interface CropPlace extends Orientation {
  /** HR pixels from the stored picture's corner; multiples of 4. */
  left: number;
  top: number;
}

/** Where a training pair's pixels go: `crop` and `crop / 4` pixels a side. */
export interface PairTarget {
  hr: Uint8Array;
  lr: Uint8Array;
}

/** Which pair is cut: `crop` HR pixels a side, its LR after a Gaussian blur if `blurSigma` is above 0. */
export type PairShape = Pick<DataConfig, 'crop' | 'blurSigma'>;

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

/** The part of a picture that a pair depends on: the crop and a margin, cut off where the picture ends. */
export function surroundingsOf(place: CropPlace, { crop, blurSigma }: PairShape, picture: Size): Rectangle {
  const margin = readMargin(blurSigma);
  const left = Math.max(0, place.left - margin);
  const top = Math.max(0, place.top - margin);
  const width = Math.min(picture.width, place.left + crop + margin) - left;
  const height = Math.min(picture.height, place.top + crop + margin) - top;
  return { left, top, width, height };
}

type Size = Pick<Picture, 'width' | 'height'>;

/**
 * Cut a training pair from a picture. The LR crop is, before the turns, bit for bit the crop of the whole picture's `downscale`.
 */
export function cutPair(picture: Picture, place: CropPlace, shape: PairShape, target: PairTarget): void {
  const region = surroundingsOf(place, shape, picture);
  cutPairWithin(cropPicture(picture, region), region, place, shape, target);
}

/** Cut a training pair from its surroundings, which begin at `corner` of the stored picture. */
export function cutPairWithin(
  surroundings: Picture,
  corner: Pick<Rectangle, 'left' | 'top'>,
  place: CropPlace,
  { crop, blurSigma }: PairShape,
  target: PairTarget,
): void {
  const left = place.left - corner.left;
  const top = place.top - corner.top;
  cutSquare(surroundings, { left, top, side: crop }, place, target.hr);
  const lr = downscale(surroundings, blurSigma);
  cutSquare(lr, { left: left / 4, top: top / 4, side: crop / 4 }, place, target.lr);
}

function cutSquare(
  { data, width }: Picture,
  { left, top, side }: { left: number; top: number; side: number },
  orientation: Orientation,
  target: Uint8Array,
): void {
  const cutter = cropCutter();
  const strideBytes = width * 3;
  cutter.rows(data.length).set(data);
  cutter.cut({ begin: top * strideBytes + left * 3, strideBytes, side }, orientation, target);
}
