import tf = require('@tensorflow/tfjs-core');
import { kernels } from '../kernels/kernels.js';
import { savingPullback, withoutPullback, type Layer } from './layer.js';

/**
 * [batch, h, w, 4c] to [batch, 2h, 2w, c] in TensorFlow's order: a pixel's channels (row, column, c) become a 2 x 2 block
 * of pixels.
 */
export const depthToSpace: Layer = (_parameters, x) => [
  blocksOfChannels(x),
  { run: (dy, { input }) => (input ? channelsOfBlocks(dy) : undefined), dispose: () => undefined },
];

/** depthToSpace without a pullback. */
export function blocksOfChannels(x: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  return swapMiddle(x, [batch * height, width, 2, channels / 2], [batch, 2 * height, 2 * width, channels / 4]);
}

/** The inverse of blocksOfChannels. */
export function channelsOfBlocks(x: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const rows: Shape = [(batch * height) / 2, 2, width / 2, 2 * channels];
  return swapMiddle(x, rows, [batch, height / 2, width / 2, 4 * channels]);
}

type Shape = tf.Tensor4D['shape'];

/**
 * Reshape x to `from`, swap the two middle axes, reshape the result to `to`. TF.js's DepthToSpace is a transpose of six
 * axes, which takes wasm a hundred times as long as this one of four.
 */
const swapMiddle = (x: tf.Tensor4D, from: Shape, to: Shape): tf.Tensor4D =>
  tf.tidy(() => tf.reshape(tf.transpose(tf.reshape(x, from), [0, 2, 1, 3]), to));

/** Maximum of each 2 x 2 block; a last odd row or column is left out. */
export const maxPool: Layer = (_parameters, x, forward) => {
  const { y, saved } = kernels().maxPool(x);
  const xShape = x.shape;
  const pullback = savingPullback(forward, saved, (kept, dy, { input }) =>
    input ? kernels().maxPoolGradient(dy, kept, xShape) : undefined,
  );
  tf.dispose(saved.filter((tensor) => tensor !== x && tensor !== y));
  return [y, pullback];
};

/** Maximum of each 3 x 3 block, two pixels apart, for features that are only measured: it has no pullback. */
export const overlappingMaxPool: Layer = (_parameters, x) => [tf.maxPool(x, 3, 2, 'valid'), withoutPullback];
