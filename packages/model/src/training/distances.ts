import tf = require('@tensorflow/tfjs-core');
import { kernels } from '../kernels/kernels.js';
import { unitLength } from '../networks/unit-length.js';

/**
 * A loss and its gradient with respect to its input; both belong to the caller. Values stay on the backend until the end
 * of a step: reading one waits for everything before it.
 */
export interface Loss {
  value: tf.Scalar;
  gradient: tf.Tensor4D;
}

/** weight * sum of (b - a)^2; its gradient with respect to b. */
export function squaredDistance(a: tf.Tensor4D, b: tf.Tensor4D, weight: number): Loss {
  const [value, gradient] = tf.tidy((): [tf.Scalar, tf.Tensor4D] => {
    const difference: tf.Tensor4D = tf.sub(b, a);
    return [tf.mul(total(tf.square(difference)), weight), tf.mul(difference, 2 * weight)];
  });
  return { value, gradient };
}

/** weight * sum of |b - a|; its gradient with respect to b. */
export function absoluteDistance(a: tf.Tensor4D, b: tf.Tensor4D, weight: number): Loss {
  const [value, gradient] = tf.tidy((): [tf.Scalar, tf.Tensor4D] => {
    const difference: tf.Tensor4D = tf.sub(b, a);
    return [tf.mul(total(tf.abs(difference)), weight), tf.mul(tf.sign(difference), weight)];
  });
  return { value, gradient };
}

/**
 * LPIPS's distance of two features of a layer (Zhang et al. 2018, equation 1): squared differences of their unit-length forms, weighted over
 * the channels by the `head`, a filter of 1 x 1 with one output, averaged over width, height and batch; its gradient with respect to `b`,
 * which comes after a ReLU.
 */
export function lpipsDistance(a: tf.Tensor4D, b: tf.Tensor4D, head: tf.Tensor4D): Loss {
  const [batch, height, width, channels] = b.shape;
  const [value, gradient] = tf.tidy((): [tf.Scalar, tf.Tensor4D] => {
    const weights: tf.Tensor1D = tf.mul(tf.reshape(head, [channels]), 1 / (batch * height * width));
    const { unit, length } = unitLength(b);
    const difference: tf.Tensor4D = tf.sub(unit, unitLength(a).unit);
    const weighted: tf.Tensor4D = tf.mul(difference, weights);
    // du = 2 w (u - v), of which scaling to unit length passes on what is across u. Where all of b is 0, the ReLU before it passes nothing on.
    const along = tf.sum(tf.mul(weighted, unit), 3, true);
    return [total(tf.mul(weighted, difference)), tf.mul(tf.div(tf.sub(weighted, tf.mul(unit, along)), length), 2)];
  });
  return { value, gradient };
}

/** Sum over all elements. */
export const total = (x: tf.Tensor4D): tf.Scalar => tf.sum(kernels().channelSums(x));
