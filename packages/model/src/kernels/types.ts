import tf = require('@tensorflow/tfjs-core');

/**
 * The operations of layers that backends implement differently, because of missing kernels or for speed. Results belong to
 * the caller, as do arguments. Activations are [batch, height, width, channels], filters HWIO, padding 'same'.
 */
export interface Kernels {
  conv2d(x: tf.Tensor4D, filter: tf.Tensor4D, bias: tf.Tensor1D | undefined, stride: 1 | 2): tf.Tensor4D;
  /** max(conv2d(x, filter, bias, 1), 0). */
  conv2dRelu(x: tf.Tensor4D, filter: tf.Tensor4D, bias: tf.Tensor1D): tf.Tensor4D;
  conv2dInputGradient(dy: tf.Tensor4D, filter: tf.Tensor4D, xShape: tf.Tensor4D['shape'], stride: 1 | 2): tf.Tensor4D;
  conv2dFilterGradient(x: tf.Tensor4D, dy: tf.Tensor4D, filterShape: tf.Tensor4D['shape'], stride: 1 | 2): tf.Tensor4D;
  /** [batch, inputs], [inputs, outputs] and [outputs] to x * weight + bias. */
  dense(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor2D;
  /** [batch, outputs] and [inputs, outputs] to [batch, inputs]. */
  denseInputGradient(dy: tf.Tensor2D, weight: tf.Tensor2D): tf.Tensor2D;
  /** [batch, inputs] and [batch, outputs] to [inputs, outputs]. */
  denseWeightGradient(x: tf.Tensor2D, dy: tf.Tensor2D): tf.Tensor2D;
  /** max(x, 0) + slope * min(x, 0) with one slope >= 0. */
  leakyRelu(x: tf.Tensor4D, slope: number): tf.Tensor4D;
  /** dy where y > 0, slope * dy elsewhere: leakyRelu's gradient from its result y, which has its argument's sign. */
  leakyReluGradient(dy: tf.Tensor4D, y: tf.Tensor4D, slope: number): tf.Tensor4D;
  /** max(x, 0) + slope * min(x, 0) with a slope a channel. */
  prelu(x: tf.Tensor4D, slope: tf.Tensor1D): tf.Tensor4D;
  preluGradient(dy: tf.Tensor4D, x: tf.Tensor4D, slope: tf.Tensor1D): { dx: tf.Tensor4D; dSlope: tf.Tensor1D };
  /** log(1 + exp(x)); NaN of NaN. */
  softplus(x: tf.Tensor4D): tf.Tensor4D;
  /** 1 / (1 + exp(-x)); NaN of NaN. */
  sigmoid(x: tf.Tensor4D): tf.Tensor4D;
  /** `mean` and `variance` (unbiased; 0 of a single value) are the batch's; `saved` is what the gradient needs. */
  batchNorm(x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D, epsilon: number): BatchNormResult;
  batchNormGradient(saved: tf.Tensor[], dy: tf.Tensor4D, gamma: tf.Tensor1D): BatchNormGradient;
  /** Batch norm with running averages as constants. */
  frozenBatchNorm(x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D, running: RunningAverages): tf.Tensor4D;
  frozenBatchNormGradient(
    x: tf.Tensor4D,
    dy: tf.Tensor4D,
    gamma: tf.Tensor1D,
    running: RunningAverages,
  ): BatchNormGradient;
  /** Sum over batch, height and width. */
  channelSums(x: tf.Tensor4D): tf.Tensor1D;
  /** x * scale + shift, one of each per channel. */
  scaleShift(x: tf.Tensor4D, scale: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor4D;
  /** x * scale + shift, one constant of each per channel. */
  channelAffine(x: tf.Tensor4D, scale: number[], shift: number[]): tf.Tensor4D;
  /** Maximum of each 2 x 2 block; `saved` is what the gradient needs. */
  maxPool(x: tf.Tensor4D): { y: tf.Tensor4D; saved: tf.Tensor4D[] };
  maxPoolGradient(dy: tf.Tensor4D, saved: tf.Tensor4D[], xShape: tf.Tensor4D['shape']): tf.Tensor4D;
  /** The pixels of a region of the picture, of which the batch has one. */
  crop(x: tf.Tensor4D, region: { left: number; top: number; width: number; height: number }): tf.Tensor4D;
  /** A tensor with a copy of `values`. */
  upload(values: Float32Array, shape: number[]): tf.Tensor;
  /** Pictures [count, height, width, 3] of 8-bit levels as level * scale + shift. */
  uploadPictures(levels: Uint8Array, shape: tf.Tensor4D['shape'], scale: number, shift: number): tf.Tensor4D;
  /** Overwrite the result of `uploadPictures` with new levels; undefined if the backend's tensors are immutable. */
  overwritePictures?: (tensor: tf.Tensor4D, levels: Uint8Array, scale: number, shift: number) => void;
  /** Overwrite tensors with a vector's values, one after the other; undefined if the backend's tensors are immutable. */
  overwrite?: (tensors: tf.Tensor[], vector: Float32Array) => void;
  /** Have the device start with what is recorded; undefined if it starts with each operation. */
  submit?: () => void;
  /** Copy tensors' elements to `target`, one tensor after the other; a promise where the backend cannot block this thread. */
  download: (tensors: tf.Tensor[], target: Float32Array) => void | Promise<void>;
}

export interface BatchNormResult {
  y: tf.Tensor4D;
  mean: tf.Tensor1D;
  variance: tf.Tensor1D;
  saved: tf.Tensor[];
}

export interface RunningAverages {
  mean: tf.Tensor1D;
  variance: tf.Tensor1D;
  /** Added to variances before the square root. */
  epsilon: number;
}

export interface BatchNormGradient {
  dx: tf.Tensor4D;
  dGamma: tf.Tensor1D;
  dBeta: tf.Tensor1D;
}
