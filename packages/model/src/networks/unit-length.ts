import tf = require('@tensorflow/tfjs-core');

/** Features divided by their Euclidean length over the channels, and that length; both belong to the caller. */
export function unitLength(x: tf.Tensor4D): { unit: tf.Tensor4D; length: tf.Tensor4D } {
  return tf.tidy(() => {
    const length: tf.Tensor4D = tf.add(tf.sqrt(tf.sum(tf.square(x), 3, true)), 1e-10);
    return { unit: tf.div<tf.Tensor4D>(x, length), length };
  });
}
