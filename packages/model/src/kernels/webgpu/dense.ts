import tf = require('@tensorflow/tfjs-core');
import type { Kernels } from '../types.js';
import { conv2d } from './convolution.js';
import { conv2dFilterGradient } from './filter-gradient.js';
import { conv2dInputGradient } from './input-gradient.js';

/*
 * A dense layer is a convolution of pictures of one pixel.
 */

export const dense: Kernels['dense'] = (x, weight, bias) =>
  tf.tidy(() => asRows(conv2d(asPixels(x), asFilter(weight), bias, 1)));

export const denseInputGradient: Kernels['denseInputGradient'] = (dy, weight) =>
  tf.tidy(() => {
    const [inputs] = weight.shape;
    return asRows(conv2dInputGradient(asPixels(dy), asFilter(weight), [dy.shape[0], 1, 1, inputs], 1));
  });

export const denseWeightGradient: Kernels['denseWeightGradient'] = (x, dy) =>
  tf.tidy(() => {
    const [inputs, outputs] = [x.shape[1], dy.shape[1]];
    const gradient = conv2dFilterGradient(asPixels(x), asPixels(dy), [1, 1, inputs, outputs], 1);
    return tf.reshape<tf.Rank.R2>(gradient, [inputs, outputs]);
  });

const asPixels = (rows: tf.Tensor2D): tf.Tensor4D => tf.reshape(rows, [rows.shape[0], 1, 1, rows.shape[1]]);
const asRows = (pixels: tf.Tensor4D): tf.Tensor2D => tf.reshape(pixels, [pixels.shape[0], pixels.shape[3]]);
const asFilter = (weight: tf.Tensor2D): tf.Tensor4D => tf.reshape(weight, [1, 1, ...weight.shape]);
