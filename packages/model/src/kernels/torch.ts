import tf = require('@tensorflow/tfjs-core');
import { picturesTensor, readInto, torchBackend } from '@fourfold/tfjs-torch';
import { oneByOne } from './download.js';
import { genericKernels } from './generic.js';
import type { Kernels } from './types.js';

const run = <T extends tf.Tensor | tf.Tensor[]>(
  kernel: string,
  inputs: Record<string, tf.Tensor>,
  attributes: tf.NamedAttrMap = {},
): T => tf.engine().runKernel(kernel, inputs, attributes);

/** Kernels for the torch backend, which computes the gradient of a whole layer in one kernel. */
export const torchKernels: Kernels = {
  ...genericKernels,
  denseWeightGradient: (x, dy) => run('DenseWeightGrad', { x, dy }),
  leakyRelu: (x, slope) => (slope === 0 ? tf.relu(x) : tf.leakyRelu(x, slope)),
  leakyReluGradient: (dy, y, slope) => run('LeakyReluGrad', { dy, y }, { alpha: slope }),
  preluGradient: (dy, x, slope) => {
    const [dx, dSlope] = run<tf.Tensor[]>('PreluGrad', { dy, x, alpha: slope });
    return { dx: dx as tf.Tensor4D, dSlope: dSlope as tf.Tensor1D };
  },
  batchNorm: (x, gamma, beta, epsilon) => {
    const [y, mean, variance, ...saved] = run<tf.Tensor[]>('BatchNormTraining', { x, gamma, beta }, { epsilon });
    return {
      y: y as tf.Tensor4D,
      mean: mean as tf.Tensor1D,
      variance: variance as tf.Tensor1D,
      saved: [tf.clone(x), ...saved],
    };
  },
  batchNormGradient: ([x, mean, inverse], dy, gamma) => {
    const [dx, dGamma, dBeta] = run<tf.Tensor[]>('BatchNormTrainingGrad', { dy, x, gamma, mean, inverse });
    return { dx: dx as tf.Tensor4D, dGamma: dGamma as tf.Tensor1D, dBeta: dBeta as tf.Tensor1D };
  },
  frozenBatchNorm: (x, gamma, beta, { mean, variance, epsilon }) =>
    run('BatchNormFrozen', { x, gamma, beta, mean, variance }, { epsilon }),
  frozenBatchNormGradient: (x, dy, gamma, { mean, variance, epsilon }) => {
    const [dx, dGamma, dBeta] = run<tf.Tensor[]>('BatchNormFrozenGrad', { dy, x, gamma, mean, variance }, { epsilon });
    return { dx: dx as tf.Tensor4D, dGamma: dGamma as tf.Tensor1D, dBeta: dBeta as tf.Tensor1D };
  },
  channelAffine: (x, scale, shift) => run('ChannelAffine', { x }, { scale, shift }),
  maxPool: (x) => {
    const [y, indices] = run<tf.Tensor4D[]>('MaxPoolIndexed', { x });
    return { y, saved: [indices] };
  },
  maxPoolGradient: (dy, [indices], xShape) => run('MaxPoolIndexedGrad', { dy, indices }, { inputShape: xShape }),
  uploadPictures: (levels, shape, scale, shift) => picturesTensor(levels, shape, scale, shift) as tf.Tensor4D,
  upload: (values, shape) => tf.tensor(values, shape),
  overwritePictures: (tensor, levels, scale, shift) => torchBackend().overwriteLevels(tensor, levels, scale, shift),
  overwrite: (tensors, vector) => torchBackend().overwrite(tensors, vector),
  download: oneByOne(readInto),
};
