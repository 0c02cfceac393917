import * as tf from '@tensorflow/tfjs-core';
import { kernels } from '../kernels/kernels.js';
import { addGradient, named, savingPullback, type Layer } from './layer.js';

/** max(x, 0) + slope * min(x, 0) with one slope a channel, `name`/slope (He et al. 2015). The slope at 0 counts as negative side. */
export function prelu(name: string): Layer {
  return (parameters, x, forward) => {
    const slope = named<tf.Tensor1D>(parameters, `${name}/slope`);
    const pullback = savingPullback(forward, [x], ([saved], dy, { input, gradients }) => {
      if (gradients) addGradient(gradients, `${name}/slope`, slopeGradient(saved, dy));
      return input ? preluInputGradient(saved, dy, slope) : undefined;
    });
    return [preluOf(x, slope), pullback];
  };
}

/** max(x, 0) + slope * min(x, 0) with one fixed slope. */
export function leakyRelu(slope: number): Layer {
  return (_parameters, x, forward) => {
    // PReLU with equal slopes: wasm's own LeakyRelu takes nine times as long.
    const slopes: tf.Tensor1D = tf.fill([x.shape[3]], slope);
    const y = preluOf(x, slopes);
    slopes.dispose();
    return [
      y,
      savingPullback(forward, [x], ([saved], dy, { input }) => (input ? masked(saved, dy, slope) : undefined)),
    ];
  };
}

/** max(x, 0). */
export const relu: Layer = (_parameters, x, forward) => [
  tf.relu(x),
  savingPullback(forward, [x], ([saved], dy, { input }) => (input ? masked(saved, dy, 0) : undefined)),
];

const preluOf = (x: tf.Tensor4D, slope: tf.Tensor1D): tf.Tensor4D =>
  // TF.js's types ask for equal ranks; the slopes broadcast.
  tf.prelu<tf.Tensor>(x, slope) as tf.Tensor4D;

/** dy where x > 0, slope * dy elsewhere. */
const masked = (x: tf.Tensor4D, dy: tf.Tensor4D, slope: number): tf.Tensor4D =>
  tf.tidy(() => tf.mul(dy, tf.step(x, slope)));

const preluInputGradient = (x: tf.Tensor4D, dy: tf.Tensor4D, slope: tf.Tensor1D): tf.Tensor4D =>
  tf.tidy(() => tf.mul(dy, kernels().scaleShift(tf.step(x), tf.sub(1, slope), slope)));

const slopeGradient = (x: tf.Tensor4D, dy: tf.Tensor4D): tf.Tensor1D =>
  tf.tidy(() => kernels().channelSums(tf.mul(dy, tf.sub(x, tf.relu(x)))));
