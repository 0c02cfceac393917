import * as tf from '@tensorflow/tfjs-core';
import { createBatchNorm } from './batch-norm.js';
import type { Kernels } from './kernels.js';

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

/** Kernels of TensorFlow.js operations and gradient kernels that every full backend has. */
export const genericKernels: Kernels = {
  conv2d: (x, filter, bias, stride) => tf.fused.conv2d({ x, filter, bias, strides: stride, pad: 'same' }),
  conv2dInputGradient: (dy, filter, inputShape, stride) =>
    run('Conv2DBackpropInput', { dy, filter }, { ...convolutionAttributes(stride), inputShape }),
  conv2dFilterGradient: (x, dy, filterShape, stride) =>
    run('Conv2DBackpropFilter', { x, dy }, { ...convolutionAttributes(stride), filterShape }),
  denseInputGradient: (dy, weight) => tf.matMul(dy, weight, false, true),
  denseWeightGradient: (x, dy) => tf.matMul(x, dy, true, false),
  ...createBatchNorm({ channelSums, scaleShift }),
  channelSums,
  scaleShift,
  maxPoolGradient: (dy, x, y) =>
    run('MaxPoolGrad', { dy, input: x, output: y }, { filterSize: [2, 2], strides: [2, 2], pad: 'valid' }),
  upload: (values, shape) => tf.tensor(values.slice(), shape),
  download: (tensor, target) => target.set(tensor.dataSync<'float32'>()),
};
