import tf = require('@tensorflow/tfjs-core');
import type { Picture, Rectangle } from '@fourfold/common/basics';
import { kernels } from '../kernels/kernels.js';
import type { NamedTensors } from '../layers/layer.js';
import type { GeneratorParts } from '../networks/networks.js';
import { uploadLr } from '../networks/transfer.js';
import { cutReflected, squares, surroundings, type Border } from './surroundings.js';
import { inResult, paste, pixelsOf, roomFor } from './pixels.js';

/*
 * Half of a generator's work is at the size of the LR picture and sees far. The other half, the upsampling, is at up to 16 times as many
 * pixels and sees no farther than 3 LR pixels. So the first half takes a large tile, which wastes little on its margins, and the second
 * cuts the tile's features into small squares, which take little memory.
 */

/** A generator's parts with its tensors on the backend. */
export interface SplitNetwork {
  parts: GeneratorParts;
  parameters: NamedTensors;
}

/** LR pixels that the upsampling sees around a square. */
const upsamplingMargin = 3;

/** LR pixels a side that are upsampled at a time. */
const upsampledSide = 96;

const forward = { saves: false };

/**
 * Upscale a region of a picture that is seen with `overlap` pixels around it. It pauses after each layer and each square, and yields the
 * work done since the last pause, in LR pixels: in all as many as the region has.
 */
export async function* upscaleInParts(
  network: SplitNetwork,
  picture: Picture,
  region: Rectangle,
  overlap: number,
  border: Border,
): AsyncGenerator<number, Picture> {
  const { left, top, width, height } = region;
  const seen = surroundings(picture, region, overlap, border);
  const upsampled = squares(region, upsampledSide);
  const work = (width * height) / (network.parts.trunk.length + upsampled.length);
  const result = roomFor(region);
  const features = yield* featuresOf(network, cutReflected(picture, seen), seen, work);
  try {
    for (const square of upsampled) {
      const part = await upsample(network, features, {
        ...square,
        left: square.left - seen.left,
        top: square.top - seen.top,
      });
      paste(part, result, 4 * (square.left - left), 4 * (square.top - top));
      yield work;
    }
    return result;
  } finally {
    features.dispose();
  }
}

/** The features of LR pixels: all of the generator but the upsampling. */
function* featuresOf(
  { parts: { head, trunk }, parameters }: SplitNetwork,
  pixels: Uint8Array,
  { width, height }: Rectangle,
  work: number,
): Generator<number, tf.Tensor4D> {
  const first = tf.tidy(() => head(parameters, uploadLr(pixels, [1, height, width, 3]), forward)[0]);
  let x = first;
  try {
    for (const layer of trunk) {
      const before = x;
      x = tf.tidy(() => layer(parameters, before, forward)[0]);
      if (before !== first) before.dispose();
      yield work;
    }
    return tf.add(first, x);
  } finally {
    tf.dispose([first, x]);
  }
}

/** Upsample a square of features. */
async function upsample(
  { parts, parameters }: SplitNetwork,
  features: tf.Tensor4D,
  square: Rectangle,
): Promise<Picture> {
  const size = { width: features.shape[2], height: features.shape[1] };
  const seen = surroundings(size, square, upsamplingMargin, 'zeros');
  const sr = tf.tidy(() => {
    const cut = kernels().crop(features, seen);
    const [result] = parts.upsampling(parameters, cut, forward);
    cut.dispose();
    return result;
  });
  return pixelsOf(sr, inResult(square, seen));
}
