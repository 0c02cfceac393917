import tf = require('@tensorflow/tfjs-core');
import { createBatchNorm } from './batch-norm.js';
import { oneByOne } from './download.js';
import { genericKernels } from './generic.js';
import { createPreluGradient } from './prelu-gradient.js';
import type { Kernels } from './types.js';
import { conv2d, conv2dFilterGradient, conv2dInputGradient } from './wasm-convolution.js';
import { elements, rearranged } from './wasm-memory.js';

/** Mean over an axis pair by pooling; TF.js's sum over the leading axes transposes everything first. */
const pooled = (x: tf.Tensor4D, window: [number, number]): tf.Tensor4D => tf.avgPool(x, window, 1, 'valid');

/** Rows first, then the rows' means: short sums round better than one long sum. */
function channelSums(x: tf.Tensor4D): tf.Tensor1D {
  const [batch, height, width, channels] = x.shape;
  const rows = batch * height;
  return tf.tidy(() => {
    const rowMeans = pooled(tf.reshape(x, [rows, 1, width, channels]), [1, width]);
    const means = pooled(tf.reshape(rowMeans, [1, rows, 1, channels]), [rows, 1]);
    return tf.mul(tf.reshape(means, [channels]), rows * width);
  });
}

/** A depthwise 1 x 1 convolution with a bias: one pass over memory, on all threads. */
const scaleShift = (x: tf.Tensor4D, scale: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor4D =>
  tf.tidy(() => {
    const filter: tf.Tensor4D = tf.reshape(scale, [1, 1, scale.size, 1]);
    return tf.fused.depthwiseConv2d({ x, filter, bias: shift, strides: 1, pad: 'same' });
  });

/** Copies rows: TF.js's Slice copies its whole input first. */
const crop: Kernels['crop'] = (x, { left, top, width, height }) => {
  const [, , columns, channels] = x.shape;
  const rowLength = width * channels;
  return rearranged<tf.Rank.R4>(x, [1, height, width, channels], (from, to) => {
    for (let row = 0; row < height; row++) {
      const start = ((top + row) * columns + left) * channels;
      to.set(from.subarray(start, start + rowLength), row * rowLength);
    }
  });
};

/** Kernels for TF.js's wasm backend: XNNPACK's are fast, the others are plain loops and slow transposes. */
export const wasmKernels: Kernels = {
  ...genericKernels,
  conv2d,
  conv2dInputGradient,
  conv2dFilterGradient,
  // matMul packs its second factor and does not support transposed ones: make the small one the second.
  denseInputGradient: (dy, weight) => tf.tidy(() => tf.transpose(tf.matMul(weight, tf.transpose(dy)))),
  denseWeightGradient: (x, dy) => tf.tidy(() => tf.matMul(tf.transpose(x), dy)),
  conv2dRelu: (x, filter, bias) => tf.tidy(() => tf.relu(conv2d(x, filter, bias, 1))),
  ...createBatchNorm({ channelSums, scaleShift }),
  ...createPreluGradient({ channelSums, scaleShift }),
  channelSums,
  scaleShift,
  crop,
  upload: (values, shape) => tf.tensor(values, shape),
  download: oneByOne((tensor, target) => target.set(elements(tensor))),
};
