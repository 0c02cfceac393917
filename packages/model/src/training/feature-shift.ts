import tf = require('@tensorflow/tfjs-core');
import type { RunConfig } from '@fourfold/common';
import { randomStream } from '@fourfold/common/basics';
import type { Loss } from './distances.js';

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

/** A loss of the shifted pictures; its gradient with respect to the whole SR. */
export function shiftedLoss(
  { shift, left, top }: FeatureShift,
  hr: tf.Tensor4D,
  sr: tf.Tensor4D,
  lossOf: (hr: tf.Tensor4D, sr: tf.Tensor4D) => Loss,
): Loss {
  const [batch, height, width, channels] = sr.shape;
  const seen = (pictures: tf.Tensor4D): tf.Tensor4D =>
    tf.slice(pictures, [0, top, left, 0], [batch, height - shift, width - shift, channels]);
  const [seenHr, seenSr] = [seen(hr), seen(sr)];
  const { value, gradient } = lossOf(seenHr, seenSr);
  const whole: tf.Tensor4D = tf.pad(gradient, [
    [0, 0],
    [top, shift - top],
    [left, shift - left],
    [0, 0],
  ]);
  tf.dispose([seenHr, seenSr, gradient]);
  return { value, gradient: whole };
}
