import tf = require('@tensorflow/tfjs-core');
import { kernels } from '../kernels/kernels.js';
import { addGradient, named, savingPullback, type Layer } from './layer.js';

/** Added to variances before the square root. */
export const batchNormEpsilon = 1e-5;

/**
 * Batch normalisation in training (Ioffe and Szegedy 2015): with the mean and biased variance of the batch, times
 * `name`/gamma plus /beta. Adds the batch's mean and unbiased variance to the pass's statistics.
 */
export function batchNorm(name: string): Layer {
  return (parameters, x, forward) => {
    const gamma = named<tf.Tensor1D>(parameters, `${name}/gamma`);
    const beta = named<tf.Tensor1D>(parameters, `${name}/beta`);
    const { y, mean, variance, saved } = kernels().batchNorm(x, gamma, beta, batchNormEpsilon);
    if (forward.statistics) {
      forward.statistics.set(`${name}/mean`, mean);
      forward.statistics.set(`${name}/variance`, variance);
    } else {
      tf.dispose([mean, variance]);
    }
    const pullback = savingPullback(forward, saved, (kept, dy, { input, gradients }) => {
      const { dx, dGamma, dBeta } = kernels().batchNormGradient(kept, dy, gamma);
      if (gradients) {
        addGradient(gradients, `${name}/gamma`, dGamma);
        addGradient(gradients, `${name}/beta`, dBeta);
      } else {
        tf.dispose([dGamma, dBeta]);
      }
      if (input) return dx;
      dx.dispose();
      return undefined;
    });
    tf.dispose(saved);
    return [y, pullback];
  };
}

/**
 * Batch normalisation with the running averages `name`/mean and /variance, for evaluation and upscaling. Saves nothing;
 * its pullback cannot run.
 */
export function batchNormInference(name: string): Layer {
  return (parameters, x, forward) => {
    const y = tf.tidy(() => {
      const variance = named<tf.Tensor1D>(parameters, `${name}/variance`);
      const scale = tf.mul(
        named<tf.Tensor1D>(parameters, `${name}/gamma`),
        tf.rsqrt(tf.add(variance, batchNormEpsilon)),
      );
      const mean = named<tf.Tensor1D>(parameters, `${name}/mean`);
      const shift = tf.sub(named<tf.Tensor1D>(parameters, `${name}/beta`), tf.mul(mean, scale));
      return kernels().scaleShift(x, scale as tf.Tensor1D, shift as tf.Tensor1D);
    });
    return [y, savingPullback({ ...forward, saves: false }, [], () => undefined)];
  };
}
