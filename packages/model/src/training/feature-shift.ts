import tf = require('@tensorflow/tfjs-core');
import type { RunConfig } from '@fourfold/common';
import { randomStream } from '@fourfold/common/basics';

/*
 * The generator makes 4 x 4 pixels from each pixel of LR, and VGG pools 2 x 2, 4 x 4 and 8 x 8. If both begin at the same pixel, the
 * network's features hardly see some grids of period 4, and the loss grows towards them. Cutting the pictures elsewhere in each
 * iteration shows it every grid.
 */

/** What a feature network does not see of a crop, in pixels: `left` and `top`, and the rest of `shift` on the other sides. */
export interface FeatureShift {
  shift: number;
  left: number;
  top: number;
}

/** The shift of a replica's crops in an iteration; undefined for none. */
export function featureShift(
  { loss, seed }: Pick<RunConfig, 'loss' | 'seed'>,
  { iteration, replica }: { iteration: number; replica: number },
): FeatureShift | undefined {
  const shift = loss.featureShift;
  if (shift === 0 || loss.content === 'mse') return undefined;
  const random = randomStream(seed, 'feature-shift', iteration, replica);
  return { shift, left: random.below(shift + 1), top: random.below(shift + 1) };
}

/** What the network sees of pictures. */
export function seenOf({ shift, left, top }: FeatureShift, pictures: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = pictures.shape;
  return tf.slice(pictures, [0, top, left, 0], [batch, height - shift, width - shift, channels]);
}

/** From the gradient of what the network sees to that of the pictures. */
export const ofWhole = ({ shift, left, top }: FeatureShift, gradient: tf.Tensor4D): tf.Tensor4D =>
  tf.pad(gradient, [
    [0, 0],
    [top, shift - top],
    [left, shift - left],
    [0, 0],
  ]);
