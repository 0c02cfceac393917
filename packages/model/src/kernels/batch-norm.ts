import tf = require('@tensorflow/tfjs-core');
import type { Kernels, RunningAverages } from './types.js';

type Normalised = [
  y: tf.Tensor4D,
  mean: tf.Tensor1D,
  variance: tf.Tensor1D,
  centred: tf.Tensor4D,
  inverseDeviation: tf.Tensor1D,
];

/**
 * Training batch norm from per-channel sums and scaling, for backends without such a kernel. It saves the centred x and
 * 1 / sqrt(variance + epsilon).
 */
export function createBatchNorm({
  channelSums,
  scaleShift,
}: Pick<Kernels, 'channelSums' | 'scaleShift'>): Pick<Kernels, 'batchNorm' | 'batchNormGradient'> {
  const channelMeans = (x: tf.Tensor4D): tf.Tensor1D => {
    const sums = channelSums(x);
    return tf.mul(sums, sums.size / x.size);
  };
  return {
    batchNorm: (x, gamma, beta, epsilon) => {
      const [y, mean, variance, centred, inverse] = tf.tidy((): Normalised => {
        const mean = channelMeans(x);
        const centred = scaleShift(x, tf.onesLike(mean), tf.neg(mean));
        // Two passes: the mean of squares minus the square of the mean cancels badly in float32.
        const variance = channelMeans(tf.square(centred));
        const inverse: tf.Tensor1D = tf.rsqrt(tf.add(variance, epsilon));
        const y = scaleShift(centred, tf.mul(gamma, inverse), beta);
        const count = x.size / gamma.size;
        // With a single value per channel the unbiased variance is undefined: use the biased one, 0.
        const unbiased: tf.Tensor1D = tf.mul(variance, count > 1 ? count / (count - 1) : 1);
        return [y, mean, unbiased, centred, inverse];
      });
      return { y, mean, variance, saved: [centred, inverse] };
    },
    batchNormGradient: (saved, dy, gamma) => {
      const [centred, inverse] = saved as [tf.Tensor4D, tf.Tensor1D];
      const count = dy.size / gamma.size;
      const [dx, dGamma, dBeta] = tf.tidy((): [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D] => {
        const dBeta = channelSums(dy);
        const dGamma: tf.Tensor1D = tf.mul(channelSums(tf.mul(dy, centred)), inverse);
        // dx = gamma / deviation * (dy - mean(dy) - normalised * mean(dy * normalised))
        const scale: tf.Tensor1D = tf.mul(gamma, inverse);
        const direct = scaleShift(dy, scale, tf.mul(tf.mul(scale, dBeta), -1 / count));
        const slope: tf.Tensor1D = tf.mul(tf.mul(tf.mul(scale, inverse), dGamma), -1 / count);
        const dx: tf.Tensor4D = tf.add(direct, scaleShift(centred, slope, tf.zerosLike(slope)));
        return [dx, dGamma, dBeta];
      });
      return { dx, dGamma, dBeta };
    },
  };
}

/** Batch norm with constant statistics, for backends without such a kernel. */
export function createFrozenBatchNorm({
  channelSums,
  scaleShift,
}: Pick<Kernels, 'channelSums' | 'scaleShift'>): Pick<Kernels, 'frozenBatchNorm' | 'frozenBatchNormGradient'> {
  const inverseOf = ({ variance, epsilon }: RunningAverages): tf.Tensor1D => tf.rsqrt(tf.add(variance, epsilon));
  return {
    frozenBatchNorm: (x, gamma, beta, running) =>
      tf.tidy(() => {
        const scale: tf.Tensor1D = tf.mul(gamma, inverseOf(running));
        return scaleShift(x, scale, tf.sub(beta, tf.mul(running.mean, scale)));
      }),
    frozenBatchNormGradient: (x, dy, gamma, running) => {
      const [dx, dGamma, dBeta] = tf.tidy((): [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D] => {
        const inverse = inverseOf(running);
        const scale: tf.Tensor1D = tf.mul(gamma, inverse);
        const centred = scaleShift(x, tf.onesLike(scale), tf.neg(running.mean));
        const dGamma: tf.Tensor1D = tf.mul(channelSums(tf.mul(dy, centred)), inverse);
        return [scaleShift(dy, scale, tf.zerosLike(scale)), dGamma, channelSums(dy)];
      });
      return { dx, dGamma, dBeta };
    },
  };
}
