import tf = require('@tensorflow/tfjs-core');
import type { LossConfig } from '@fourfold/common';
import type { ContentFeatures } from '@fourfold/common/basics';
import { lpipsHead } from '@fourfold/weights';
import { kernels } from '../kernels/kernels.js';
import { named } from '../layers/layer.js';
import type { FeaturePass } from './feature-pass.js';
import { absoluteDistance, lpipsDistance, squaredDistance, total, type Loss } from './distances.js';

/** Mean of (sr - hr)^2 over all elements, in the range of the pictures; its gradient with respect to SR. */
export function meanSquaredError(hr: tf.Tensor4D, sr: tf.Tensor4D): Loss {
  return squaredDistance(hr, sr, 1 / sr.size);
}

/** Mean of |sr - hr| over all elements; its gradient with respect to SR. */
export function meanAbsoluteError(hr: tf.Tensor4D, sr: tf.Tensor4D): Loss {
  return absoluteDistance(hr, sr, 1 / sr.size);
}

/** A loss of features; its gradients with respect to SR's. */
export interface FeatureLoss {
  value: tf.Scalar;
  gradients: tf.Tensor4D[];
}

/**
 * Distance of scaled features, averaged over width, height and batch and summed over channels (paper, equation 5), or averaged over
 * them too; the weighted sum over the layers. LPIPS's distance has its own weights of channels and ignores `reduction`.
 */
export function featureLoss(
  { hr, sr, parameters }: Pick<FeaturePass, 'hr' | 'sr' | 'parameters'>,
  { layers, distance }: Pick<ContentFeatures, 'layers' | 'distance'>,
  reduction: LossConfig['vggReduction'],
): FeatureLoss {
  const losses = layers.map(({ scale, weight }, i) => {
    if (distance === 'lpips') return lpipsDistance(hr[i], sr[i], named(parameters, lpipsHead(i)));
    const terms = reduction === 'mean' ? sr[i].size : sr[i].size / sr[i].shape[3];
    return distance === 'squared'
      ? squaredDistance(hr[i], sr[i], (scale * scale * weight) / terms)
      : absoluteDistance(hr[i], sr[i], (scale * weight) / terms);
  });
  return {
    value: losses.map(({ value }) => value).reduce(addFreeing),
    gradients: losses.map(({ gradient }) => gradient),
  };
}

/** a + b; frees both. */
export function addFreeing(a: tf.Scalar, b: tf.Scalar): tf.Scalar {
  const sum: tf.Scalar = tf.add(a, b);
  tf.dispose([a, b]);
  return sum;
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
    const functions = kernels();
    const signed: tf.Tensor4D = tf.mul(logits, sign);
    return [tf.mean(functions.softplus(signed)), tf.mul(functions.sigmoid(signed), sign / logits.size)];
  });
  return { value, gradient };
}

/** Relativistic average losses on two kinds' logits; the gradient of their sum with respect to each. */
export interface RelativisticLoss {
  real: tf.Scalar;
  fake: tf.Scalar;
  gradients: { real: tf.Tensor4D; fake: tf.Tensor4D };
}

/**
 * The costs of not calling real pictures more real than the fake ones' mean, and fake ones less real than the real ones' mean (ESRGAN's
 * discriminator; Jolicoeur-Martineau 2018): mean softplus(-(real - mean(fake))) and mean softplus(fake - mean(real)). For the
 * `generator`, the signs are the other way round.
 */
export function relativisticLoss(
  real: tf.Tensor4D,
  fake: tf.Tensor4D,
  of: 'discriminator' | 'generator',
): RelativisticLoss {
  const sign = of === 'discriminator' ? 1 : -1;
  const factor = sign / real.size;
  const [ofReal, ofFake, dReal, dFake] = tf.tidy((): [tf.Scalar, tf.Scalar, tf.Tensor4D, tf.Tensor4D] => {
    const functions = kernels();
    const a: tf.Tensor4D = tf.mul(tf.sub(tf.mean(fake), real), sign);
    const b: tf.Tensor4D = tf.mul(tf.sub(fake, tf.mean(real)), sign);
    const [sigmoidA, sigmoidB] = [functions.sigmoid(a), functions.sigmoid(b)];
    // Each mean passes the other loss's gradient on to all of its logits.
    return [
      tf.mean(functions.softplus(a)),
      tf.mean(functions.softplus(b)),
      tf.mul(tf.add(sigmoidA, tf.mean(sigmoidB)), -factor),
      tf.mul(tf.add(sigmoidB, tf.mean(sigmoidA)), factor),
    ];
  });
  return { real: ofReal, fake: ofFake, gradients: { real: dReal, fake: dFake } };
}
