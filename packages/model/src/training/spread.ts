import tf = require('@tensorflow/tfjs-core');
import { spreadWindow, type ContentFeatures } from '@fourfold/common/basics';
import { kernels } from '../kernels/kernels.js';
import { total, type Loss } from './distances.js';
import type { FeaturePass } from './feature-pass.js';
import { addFreeing } from './losses.js';
import { windowMeans, windowMeansGradient } from './windows.js';

/** Added to variances, so that the gradient of the square root stays finite in flat places. */
const epsilon = 1e-4;

/** The sum of the named layers' spread distances; the gradients with respect to SR's features, by their place among the compared ones. */
export function spreadLoss(
  { hr, sr }: Pick<FeaturePass, 'hr' | 'sr'>,
  { layers }: Pick<ContentFeatures, 'layers'>,
  named: readonly string[],
): { value: tf.Scalar; gradients: Map<number, tf.Tensor4D> } {
  const places = [...layers.keys()].filter((i) => named.includes(layers[i].layer));
  const losses = places.map((i) => spreadDistance(hr[i], sr[i], spreadWindow(layers[i].layer)));
  return {
    value: losses.map(({ value }) => value).reduce(addFreeing),
    gradients: new Map(places.map((place, i) => [place, losses[i].gradient])),
  };
}

/**
 * How differently two pictures' features vary: the sum of absolute differences of their standard deviations in windows of `side` x `side`,
 * as a part of the sum of a's; its gradient with respect to b. Where something is does not matter to it, only how much there is. (The
 * statistics are those of adaptive instance normalisation, Huang and Belongie 2017, in windows instead of the whole picture.)
 */
export function spreadDistance(a: tf.Tensor4D, b: tf.Tensor4D, side: number): Loss {
  const [value, gradient] = tf.tidy((): [tf.Scalar, tf.Tensor4D] => {
    // A variance does not depend on it, but differences of squares lose digits where features are large.
    const centre = tf.mul(kernels().channelSums(a), a.shape[3] / a.size);
    const x: tf.Tensor4D = tf.sub(b, centre);
    const [ofA, ofB] = [spreadOf(tf.sub(a, centre), side), spreadOf(x, side)];
    const difference: tf.Tensor4D = tf.sub(ofB.deviation, ofA.deviation);
    const size = total(ofA.deviation);
    // d deviation = (mean of x dx - mean * mean of dx) / deviation.
    const factor: tf.Tensor4D = tf.div(tf.div(tf.sign(difference), size), ofB.deviation);
    const alongX = tf.mul(x, windowMeansGradient(factor, x.shape, side));
    const alongMean = windowMeansGradient(tf.mul(factor, ofB.mean), x.shape, side);
    return [tf.div(total(tf.abs(difference)), size), tf.sub(alongX, alongMean)];
  });
  return { value, gradient };
}

const spreadOf = (x: tf.Tensor4D, side: number): { mean: tf.Tensor4D; deviation: tf.Tensor4D } =>
  tf.tidy(() => {
    const mean = windowMeans(x, side);
    const variance: tf.Tensor4D = tf.sub(windowMeans(tf.square(x), side), tf.square(mean));
    return { mean, deviation: tf.sqrt(tf.add(tf.relu(variance), epsilon)) };
  });
