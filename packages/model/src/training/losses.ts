import * as tf from '@tensorflow/tfjs-core';
import type { LossConfig } from '@fourfold/common';
import { kernels } from '../kernels/kernels.js';
import type { Network } from '../networks/networks.js';

/**
 * A loss and its gradient with respect to its input; both belong to the caller. Values stay on the backend until the end
 * of a step: reading one waits for everything before it.
 */
export interface Loss {
  value: tf.Scalar;
  gradient: tf.Tensor4D;
}

/** Mean of (sr - hr)^2 over all elements, in the range of the pictures; its gradient with respect to SR. */
export function meanSquaredError(hr: tf.Tensor4D, sr: tf.Tensor4D): Loss {
  return squaredDistance(hr, sr, 1 / sr.size);
}

/** Scale of VGG features that brings their loss to the size of the pixels' (paper, section 3.2: 1 / 12.75). */
const featureScale = 1 / 12.75;

/**
 * Squared Euclidean distance of scaled features, averaged over width, height and batch (paper, equation 5) and summed over
 * channels, or averaged over them too; its gradient with respect to SR. The pass over HR saves nothing.
 */
export function featureLoss(
  { layer, parameters }: Network,
  reduction: LossConfig['vggReduction'],
  hr: tf.Tensor4D,
  sr: tf.Tensor4D,
): Loss {
  const [hrFeatures] = layer(parameters, hr, { saves: false });
  const [srFeatures, pullback] = layer(parameters, sr, { saves: true });
  const terms = reduction === 'mean' ? srFeatures.size : srFeatures.size / srFeatures.shape[3];
  const { value, gradient } = squaredDistance(hrFeatures, srFeatures, (featureScale * featureScale) / terms);
  tf.dispose([hrFeatures, srFeatures]);
  const dSr = pullback.run(gradient, { input: true }) as tf.Tensor4D;
  gradient.dispose();
  return { value, gradient: dSr };
}

/**
 * Anisotropic total variation: the sum of absolute differences of vertical and of horizontal neighbours over a picture's
 * pixels and channels, averaged over the batch (tf.image.total_variation); its gradient with respect to SR. It is a sum
 * because the paper's weight of 2e-8 would make a mean vanish beside the content loss.
 */
export function totalVariation(sr: tf.Tensor4D): Loss {
  const [batch, height, width, channels] = sr.shape;
  const between = (axis: 1 | 2) => {
    const size = [batch, height, width, channels];
    size[axis] -= 1;
    const ahead = tf.slice(sr, axis === 1 ? [0, 1, 0, 0] : [0, 0, 1, 0], size);
    return tf.sub<tf.Tensor4D>(ahead, tf.slice(sr, [0, 0, 0, 0], size));
  };
  const [gradient, value] = tf.tidy((): [tf.Tensor4D, tf.Scalar] => {
    const [down, across] = [between(1), between(2)];
    const shifted = (axis: 1 | 2, side: 'before' | 'after', signs: tf.Tensor4D) => {
      const paddings: [number, number][] = [0, 1, 2, 3].map(() => [0, 0]);
      paddings[axis] = side === 'before' ? [1, 0] : [0, 1];
      return tf.pad(signs, paddings);
    };
    const alongAxis = (axis: 1 | 2, differences: tf.Tensor4D) => {
      const signs = tf.sign(differences);
      return tf.sub(shifted(axis, 'before', signs), shifted(axis, 'after', signs));
    };
    const signs = tf.add(alongAxis(1, down), alongAxis(2, across));
    const sum = tf.add(total(tf.abs(down)), total(tf.abs(across)));
    return [tf.mul(signs, 1 / batch), tf.div(sum, batch)];
  });
  return { value, gradient };
}

/** Mean softplus(-logits), the cost of not calling pictures real; its gradient with respect to the logits. */
export function realLoss(logits: tf.Tensor4D): Loss {
  return softplusLoss(logits, -1);
}

/** Mean softplus(logits), the cost of not calling pictures fake; its gradient with respect to the logits. */
export function fakeLoss(logits: tf.Tensor4D): Loss {
  return softplusLoss(logits, 1);
}

/** Mean softplus(sign * logits). */
function softplusLoss(logits: tf.Tensor4D, sign: 1 | -1): Loss {
  const [value, gradient] = tf.tidy((): [tf.Scalar, tf.Tensor4D] => {
    const signed = tf.mul(logits, sign);
    return [tf.mean(tf.softplus(signed)), tf.mul(tf.sigmoid(signed), sign / logits.size)];
  });
  return { value, gradient };
}

/** weight * sum of (b - a)^2; its gradient with respect to b. */
function squaredDistance(a: tf.Tensor4D, b: tf.Tensor4D, weight: number): Loss {
  const [value, gradient] = tf.tidy((): [tf.Scalar, tf.Tensor4D] => {
    const difference: tf.Tensor4D = tf.sub(b, a);
    return [tf.mul(total(tf.square(difference)), weight), tf.mul(difference, 2 * weight)];
  });
  return { value, gradient };
}

/** Sum over all elements. */
const total = (x: tf.Tensor4D): tf.Scalar => tf.sum(kernels().channelSums(x));
