import type * as tf from '@tensorflow/tfjs-core';
import { kernels } from '../kernels/kernels.js';
import { addGradient, named, savingPullback, type Layer } from './layer.js';

/** Two-dimensional convolution, 'same' padding of TensorFlow; its tensors are `name`/filter and, with a bias, /bias. */
export function conv2d(name: string, { stride, bias }: { stride: 1 | 2; bias: boolean }): Layer {
  return (parameters, x, forward) => {
    const filter = named<tf.Tensor4D>(parameters, `${name}/filter`);
    const y = kernels().conv2d(x, filter, bias ? named<tf.Tensor1D>(parameters, `${name}/bias`) : undefined, stride);
    const pullback = savingPullback(forward, [x], ([saved], dy, { input, gradients }) => {
      if (gradients) {
        const gradient = kernels().conv2dFilterGradient(saved, dy, filter.shape, stride);
        addGradient(gradients, `${name}/filter`, gradient);
        if (bias) addGradient(gradients, `${name}/bias`, kernels().channelSums(dy));
      }
      return input ? kernels().conv2dInputGradient(dy, filter, saved.shape, stride) : undefined;
    });
    return [y, pullback];
  };
}
