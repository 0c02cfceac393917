import tf = require('@tensorflow/tfjs-core');
import { kernels } from '../kernels/kernels.js';
import { addGradient, named, savingPullback, withoutPullback, type Layer } from './layer.js';

/** Two-dimensional convolution with TensorFlow's 'same' padding; its tensors are `name`/filter and, with a bias, /bias. */
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

/**
 * max(convolution, 0) with stride 1 and a bias, `name`/filter and /bias, for networks whose parameters are fixed: it saves
 * only its result, and computes no parameter gradients.
 */
export function fixedConv2dRelu(name: string): Layer {
  return (parameters, x, forward) => {
    const filter = named<tf.Tensor4D>(parameters, `${name}/filter`);
    const y = kernels().conv2dRelu(x, filter, named<tf.Tensor1D>(parameters, `${name}/bias`));
    const xShape = x.shape;
    const pullback = savingPullback(forward, [y], ([saved], dy, { input }) => {
      if (!input) return undefined;
      const masked = kernels().leakyReluGradient(dy, saved, 0);
      const dx = kernels().conv2dInputGradient(masked, filter, xShape, 1);
      masked.dispose();
      return dx;
    });
    return [y, pullback];
  };
}

/** The convolution alone, for features before the ReLU; it saves nothing. */
export function fixedConv2d(name: string): Layer {
  return (parameters, x, forward) => {
    const filter = named<tf.Tensor4D>(parameters, `${name}/filter`);
    const y = kernels().conv2d(x, filter, named<tf.Tensor1D>(parameters, `${name}/bias`), 1);
    const xShape = x.shape;
    const pullback = savingPullback(forward, [], (_saved, dy, { input }) =>
      input ? kernels().conv2dInputGradient(dy, filter, xShape, 1) : undefined,
    );
    return [y, pullback];
  };
}

/** max(convolution, 0) with any stride and zeros on each side, for features that are only measured: it has no pullback. */
export function stridedConv2dRelu(name: string, stride: number, padding: number): Layer {
  return (parameters, x) => {
    const y = tf.tidy(() => {
      const sides: [number, number] = [padding, padding];
      const padded = tf.pad(x, [[0, 0], sides, sides, [0, 0]]);
      const bias = named<tf.Tensor1D>(parameters, `${name}/bias`);
      const filter = named<tf.Tensor4D>(parameters, `${name}/filter`);
      return tf.fused.conv2d({ x: padded, filter, bias, strides: stride, pad: 'valid', activation: 'relu' });
    });
    return [y, withoutPullback];
  };
}
