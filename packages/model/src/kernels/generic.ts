import tf = require('@tensorflow/tfjs-core');
import { createBatchNorm, createFrozenBatchNorm } from './batch-norm.js';
import { oneByOne } from './download.js';
import { createPreluGradient } from './prelu-gradient.js';
import type { Kernels } from './types.js';

const channelSums = (x: tf.Tensor4D): tf.Tensor1D => tf.sum(x, [0, 1, 2]);

const scaleShift = (x: tf.Tensor4D, scale: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor4D =>
  tf.tidy(() => tf.add(tf.mul(x, scale), shift));

const convolutionAttributes = (stride: number) => ({
  strides: [stride, stride],
  pad: 'same',
  dataFormat: 'NHWC',
  dilations: [1, 1],
});

const run = (kernel: string, inputs: tf.NamedTensorMap, attributes: tf.NamedAttrMap): tf.Tensor4D =>
  tf.engine().runKernel(kernel, inputs, attributes);

/** level * scale + shift for every 8-bit level. */
function scaled(levels: Uint8Array, scale: number, shift: number): Float32Array {
  const table = Float32Array.from({ length: 256 }, (_, level) => level * scale + shift);
  const values = new Float32Array(levels.length);
  for (let i = 0; i < levels.length; i++) values[i] = table[levels[i]];
  return values;
}

/** Kernels of TensorFlow.js operations and gradient kernels that every full backend has. */
export const genericKernels: Kernels = {
  conv2d: (x, filter, bias, stride) => tf.fused.conv2d({ x, filter, bias, strides: stride, pad: 'same' }),
  conv2dInputGradient: (dy, filter, inputShape, stride) =>
    run('Conv2DBackpropInput', { dy, filter }, { ...convolutionAttributes(stride), inputShape }),
  conv2dFilterGradient: (x, dy, filterShape, stride) =>
    run('Conv2DBackpropFilter', { x, dy }, { ...convolutionAttributes(stride), filterShape }),
  conv2dRelu: (x, filter, bias) => tf.fused.conv2d({ x, filter, bias, strides: 1, pad: 'same', activation: 'relu' }),
  dense: (x, weight, bias) => tf.tidy(() => tf.add(tf.matMul(x, weight), bias)),
  denseInputGradient: (dy, weight) => tf.matMul(dy, weight, false, true),
  denseWeightGradient: (x, dy) => tf.matMul(x, dy, true, false),
  ...createBatchNorm({ channelSums, scaleShift }),
  ...createFrozenBatchNorm({ channelSums, scaleShift }),
  leakyRelu: (x, slope) => {
    // PReLU with equal slopes: wasm's LeakyRelu takes nine times as long.
    if (slope === 0) return tf.relu(x);
    return tf.tidy(() => tf.prelu<tf.Tensor>(x, tf.fill([x.shape[3]], slope)) as tf.Tensor4D);
  },
  leakyReluGradient: (dy, y, slope) => tf.tidy(() => tf.mul(dy, tf.step(y, slope))),
  // TF.js's types require equal ranks; the slopes broadcast.
  prelu: (x, slope) => tf.prelu<tf.Tensor>(x, slope) as tf.Tensor4D,
  ...createPreluGradient({ channelSums, scaleShift }),
  softplus: (x) => tf.softplus(x),
  sigmoid: (x) => tf.sigmoid(x),
  channelSums,
  scaleShift,
  channelAffine: (x, scale, shift) => tf.tidy(() => tf.add(tf.mul(x, tf.tensor1d(scale)), tf.tensor1d(shift))),
  maxPool: (x) => {
    const y = tf.maxPool(x, 2, 2, 'valid');
    return { y, saved: [x, y] };
  },
  maxPoolGradient: (dy, [x, y]) =>
    run('MaxPoolGrad', { dy, input: x, output: y }, { filterSize: [2, 2], strides: [2, 2], pad: 'valid' }),
  crop: (x, { left, top, width, height }) => tf.slice(x, [0, top, left, 0], [1, height, width, x.shape[3]]),
  uploadPictures: (levels, shape, scale, shift) => tf.tensor(scaled(levels, scale, shift), shape),
  upload: (values, shape) => tf.tensor(values.slice(), shape),
  download: oneByOne((tensor, target) => target.set(tensor.dataSync<'float32'>())),
};
