import tf = require('@tensorflow/tfjs-core');
import { genericKernels } from './generic.js';
import { addKernels } from './kernels.js';
import type { Kernels } from './types.js';
import { leakyRelu, leakyReluGradient, prelu, preluGradient, sigmoid, softplus } from './webgpu/activation.js';
import { submit } from './webgpu/backend.js';
import { batchNorm, batchNormGradient, frozenBatchNorm, frozenBatchNormGradient } from './webgpu/batch-norm.js';
import { channelSumsOf } from './webgpu/channel-sums.js';
import { conv2d, conv2dRelu } from './webgpu/convolution.js';
import { dense, denseInputGradient, denseWeightGradient } from './webgpu/dense.js';
import { download } from './webgpu/download.js';
import { elementwise } from './webgpu/elementwise.js';
import { conv2dFilterGradient } from './webgpu/filter-gradient.js';
import { conv2dInputGradient } from './webgpu/input-gradient.js';
import { maxPoolGradient } from './webgpu/max-pool-gradient.js';
import { overwrite } from './webgpu/overwrite.js';

/** Kernels for WebGPU, most of them our own in WGSL. A device repeats their bits. */
export const webgpuKernels: Kernels = {
  ...genericKernels,
  conv2d,
  conv2dRelu,
  conv2dInputGradient,
  conv2dFilterGradient,
  dense,
  denseInputGradient,
  denseWeightGradient,
  batchNorm,
  batchNormGradient,
  frozenBatchNorm,
  frozenBatchNormGradient,
  leakyRelu,
  leakyReluGradient,
  prelu,
  preluGradient,
  softplus,
  sigmoid,
  channelSums: (x) => channelSumsOf('x', ['x'], { tensors: { x } })[0],
  scaleShift: (x, scale, shift) =>
    elementwise('scale_shift', 'x * scale + shift', { tensors: { x }, channels: { scale, shift } }),
  maxPool: (x) => ({ y: tf.maxPool(x, 2, 2, 'valid'), saved: [x] }),
  maxPoolGradient: (dy, [x]) => maxPoolGradient(dy, x),
  overwrite,
  submit: () => submit(),
  download,
};

/** Give the backend `webgpu` its kernels; once it has started, layers compute with them. */
export const addWebgpuKernels = (): void => addKernels('webgpu', webgpuKernels);
