import tf = require('@tensorflow/tfjs-core');
import { blocksOfChannels, channelsOfBlocks } from '../layers/resampling.js';
import { total, type Loss } from './distances.js';
import { windowMeans, windowMeansGradient } from './windows.js';

/** Side of a window in LR pixels. */
const side = 6;

/** Places of an HR pixel within its LR pixel. */
const places = 16;

/**
 * How much of a grid SR has that HR has not. In windows of 6 x 6 LR pixels, each of the 16 places within an LR pixel has a mean; from it the mean of
 * all 16 is subtracted. The loss is the mean absolute difference of these between the pictures; its gradient with respect to SR. Texture
 * hardly changes such means, and is left to the other losses.
 */
export function gridDistance(hr: tf.Tensor4D, sr: tf.Tensor4D): Loss {
  const [value, gradient] = tf.tidy((): [tf.Scalar, tf.Tensor4D] => {
    // Everything up to the absolute value is linear.
    const difference = channelsOfBlocks(channelsOfBlocks(tf.sub<tf.Tensor4D>(sr, hr)));
    const means = besidePlaces(windowMeans(difference, side));
    const dMeans = besidePlaces(tf.mul(tf.sign(means), 1 / means.size));
    const dDifference = windowMeansGradient(dMeans, difference.shape, side);
    return [tf.div(total(tf.abs(means)), means.size), blocksOfChannels(blocksOfChannels(dDifference))];
  });
  return { value, gradient };
}

/** Each window's means without the mean over its places; this is its own transpose. */
function besidePlaces(means: tf.Tensor4D): tf.Tensor4D {
  const byPlace = tf.reshape(means, [-1, places, means.shape[3] / places]);
  return tf.reshape(tf.sub(byPlace, tf.mean(byPlace, 1, true)), means.shape);
}
