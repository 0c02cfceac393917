import tf = require('@tensorflow/tfjs-core');
import { kernels } from '../kernels/kernels.js';
import { addGradient, named, savingPullback, type Layer, type Wanted } from './layer.js';
import type { BatchNormGradient } from '../kernels/types.js';

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
    const pullback = savingPullback(forward, saved, (kept, dy, wanted) =>
      keepWanted(kernels().batchNormGradient(kept, dy, gamma), name, wanted),
    );
    tf.dispose(saved);
    return [y, pullback];
  };
}

/**
 * Batch normalisation with the running averages `name`/mean and /variance as constants, for fine-tuning: /gamma and /beta are trained.
 * The pass's statistics are the running averages themselves.
 */
export function frozenBatchNorm(name: string): Layer {
  return (parameters, x, forward) => {
    const gamma = named<tf.Tensor1D>(parameters, `${name}/gamma`);
    const beta = named<tf.Tensor1D>(parameters, `${name}/beta`);
    const mean = named<tf.Tensor1D>(parameters, `${name}/mean`);
    const variance = named<tf.Tensor1D>(parameters, `${name}/variance`);
    const running = { mean, variance, epsilon: batchNormEpsilon };
    const y = kernels().frozenBatchNorm(x, gamma, beta, running);
    forward.statistics?.set(`${name}/mean`, tf.clone(mean)).set(`${name}/variance`, tf.clone(variance));
    const pullback = savingPullback(forward, [x], ([saved], dy, wanted) =>
      keepWanted(kernels().frozenBatchNormGradient(saved, dy, gamma, running), name, wanted),
    );
    return [y, pullback];
  };
}

/** Add the gradients to those that are wanted; returns dx if it is. Frees the others. */
function keepWanted(
  { dx, dGamma, dBeta }: BatchNormGradient,
  name: string,
  { input, gradients }: Wanted,
): tf.Tensor4D | undefined {
  if (gradients) {
    addGradient(gradients, `${name}/gamma`, dGamma);
    addGradient(gradients, `${name}/beta`, dBeta);
  } else {
    tf.dispose([dGamma, dBeta]);
  }
  if (input) return dx;
  dx.dispose();
  return undefined;
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
