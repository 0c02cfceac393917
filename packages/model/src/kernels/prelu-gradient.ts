import tf = require('@tensorflow/tfjs-core');
import type { Kernels } from './types.js';

/** PReLU's gradients from per-channel sums and scaling, for backends without such a kernel: wasm and TensorFlow. */
export const createPreluGradient = ({
  channelSums,
  scaleShift,
}: Pick<Kernels, 'channelSums' | 'scaleShift'>): Pick<Kernels, 'preluGradient'> => ({
  preluGradient: (dy, x, slope) => ({
    dx: tf.tidy(() => tf.mul(dy, scaleShift(tf.step(x), tf.sub(1, slope), slope))),
    dSlope: tf.tidy(() => channelSums(tf.mul(dy, tf.sub(x, tf.relu(x))))),
  }),
});
