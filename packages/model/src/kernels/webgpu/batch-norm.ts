import tf = require('@tensorflow/tfjs-core');
import type { Kernels } from '../types.js';
import { channelSumsOf, finishSum, sliceSums } from './channel-sums.js';
import { elementwise } from './elementwise.js';

/** Batch norm in training. It saves x, the mean and 1 / sqrt(variance + epsilon). */
export const batchNorm: Kernels['batchNorm'] = (x, gamma, beta, epsilon) => {
  const count = x.size / gamma.size;
  const sums = sliceSums('x', ['x'], { tensors: { x } });
  const mean = finishSum(sums, 0, 'mean', 'sum / count', { count });
  // Two passes: the mean of squares minus the square of the mean cancels badly in float32.
  const squares = sliceSums('centred_squares', ['(x - mean) * (x - mean)'], { tensors: { x }, channels: { mean } });
  const inverse = finishSum(squares, 0, 'inverse', 'inverseSqrt(sum / count + epsilon)', { count, epsilon });
  // With a single value per channel the unbiased variance is undefined: use the biased one, 0.
  const variance = finishSum(squares, 0, 'mean', 'sum / count', { count: Math.max(count - 1, 1) });
  const channels = { mean, inverse, gamma, beta };
  const y = elementwise('batch_norm', '(x - mean) * inverse * gamma + beta', { tensors: { x }, channels });
  tf.dispose([sums, squares]);
  return { y, mean, variance, saved: [tf.clone(x), tf.clone(mean), inverse] };
};

/** All gradients of batch norm in training, from what it saved. */
export const batchNormGradient: Kernels['batchNormGradient'] = (saved, dy, gamma) => {
  const [x, mean, inverse] = saved as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
  const [dBeta, dGamma] = channelSumsOf('batch_norm_gradient', ['dy', 'dy * (x - mean) * inverse'], {
    tensors: { dy, x },
    channels: { mean, inverse },
  });
  const dx = elementwise(
    'batch_norm_gradient',
    'gamma * inverse * (dy - (dBeta + (x - mean) * inverse * dGamma) / count)',
    {
      tensors: { dy, x },
      channels: { mean, inverse, gamma, dGamma, dBeta },
      numbers: { count: x.size / gamma.size },
    },
  );
  return { dx, dGamma, dBeta };
};

/** Batch norm with running averages as constants. */
export const frozenBatchNorm: Kernels['frozenBatchNorm'] = (x, gamma, beta, { mean, variance, epsilon }) =>
  elementwise('frozen_batch_norm', '(x - mean) * inverseSqrt(variance + epsilon) * gamma + beta', {
    tensors: { x },
    channels: { mean, variance, gamma, beta },
    numbers: { epsilon },
  });

/** All gradients of batch norm with running averages. */
export const frozenBatchNormGradient: Kernels['frozenBatchNormGradient'] = (
  x,
  dy,
  gamma,
  { mean, variance, epsilon },
) => {
  const [dBeta, dGamma] = channelSumsOf(
    'frozen_batch_norm_gradient',
    ['dy', 'dy * (x - mean) * inverseSqrt(variance + epsilon)'],
    { tensors: { dy, x }, channels: { mean, variance }, numbers: { epsilon } },
  );
  const dx = elementwise('frozen_batch_norm_gradient', 'dy * gamma * inverseSqrt(variance + epsilon)', {
    tensors: { dy },
    channels: { gamma, variance },
    numbers: { epsilon },
  });
  return { dx, dGamma, dBeta };
};
