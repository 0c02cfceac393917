import * as tf from '@tensorflow/tfjs-core';
import { genericKernels } from './generic.js';
import { wasmKernels } from './wasm.js';

/**
 * What layers compute with where backends differ: in what they have, or in what is fast. Results belong to the caller;
 * arguments stay the caller's. Activations are [batch, height, width, channels], filters HWIO, padding 'same'.
 */
export interface Kernels {
  conv2d(x: tf.Tensor4D, filter: tf.Tensor4D, bias: tf.Tensor1D | undefined, stride: 1 | 2): tf.Tensor4D;
  conv2dInputGradient(dy: tf.Tensor4D, filter: tf.Tensor4D, xShape: tf.Tensor4D['shape'], stride: 1 | 2): tf.Tensor4D;
  conv2dFilterGradient(x: tf.Tensor4D, dy: tf.Tensor4D, filterShape: tf.Tensor4D['shape'], stride: 1 | 2): tf.Tensor4D;
  /** [batch, outputs] and [inputs, outputs] to [batch, inputs]. */
  denseInputGradient(dy: tf.Tensor2D, weight: tf.Tensor2D): tf.Tensor2D;
  /** [batch, inputs] and [batch, outputs] to [inputs, outputs]. */
  denseWeightGradient(x: tf.Tensor2D, dy: tf.Tensor2D): tf.Tensor2D;
  /** `mean` and `variance` (biased) are the batch's; `saved` is what the gradient needs. */
  batchNorm(x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D, epsilon: number): BatchNormResult;
  batchNormGradient(saved: tf.Tensor[], dy: tf.Tensor4D, gamma: tf.Tensor1D): BatchNormGradient;
  /** Sum over batch, height and width. */
  channelSums(x: tf.Tensor4D): tf.Tensor1D;
  /** x * scale + shift, each one a channel. */
  scaleShift(x: tf.Tensor4D, scale: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor4D;
  maxPoolGradient(dy: tf.Tensor4D, x: tf.Tensor4D, y: tf.Tensor4D): tf.Tensor4D;
  /** A tensor with a copy of `values`. */
  upload(values: Float32Array, shape: number[]): tf.Tensor;
  /** Copy a tensor's elements to `target`. */
  download(tensor: tf.Tensor, target: Float32Array): void;
}

export interface BatchNormResult {
  y: tf.Tensor4D;
  mean: tf.Tensor1D;
  variance: tf.Tensor1D;
  saved: tf.Tensor[];
}

export interface BatchNormGradient {
  dx: tf.Tensor4D;
  dGamma: tf.Tensor1D;
  dBeta: tf.Tensor1D;
}

/** The kernels of the backend that computes. */
export const kernels = (): Kernels => (tf.getBackend() === 'wasm' ? wasmKernels : genericKernels);
