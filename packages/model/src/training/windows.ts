import tf = require('@tensorflow/tfjs-core');

/*
 * Means over square windows, half a side apart: sums of blocks of half a side, then of 2 x 2 neighbouring blocks. What is left over at the
 * right and at the bottom belongs to no window.
 */

type Shape = tf.Tensor4D['shape'];

/** How many blocks of half a window fit into a tensor. At least two are needed each way. */
const blocksOf = ([, height, width]: Shape, side: number): [rows: number, columns: number] => [
  Math.floor((2 * height) / side),
  Math.floor((2 * width) / side),
];

/** The mean of each window of `side` x `side`, an even number: [batch, windows down, windows across, channels]. */
export function windowMeans(x: tf.Tensor4D, side: number): tf.Tensor4D {
  const [batch, , , channels] = x.shape;
  const half = side / 2;
  const [rows, columns] = blocksOf(x.shape, side);
  return tf.tidy(() => {
    const bands = tf.sum(
      tf.reshape(cutTo(x, rows * half, columns * half), [batch * rows, half, columns * half * channels]),
      1,
    );
    const blocks = tf.sum(tf.reshape(bands, [batch * rows * columns, half, channels]), 1);
    const sums = addNeighbours(addNeighbours(tf.reshape(blocks, [batch, rows, columns, channels]), 1), 2);
    return tf.mul(sums, 1 / (side * side));
  });
}

/** From the gradient of a tensor's window means to that of the tensor. */
export function windowMeansGradient(dy: tf.Tensor4D, shape: Shape, side: number): tf.Tensor4D {
  const [batch, height, width, channels] = shape;
  const half = side / 2;
  const [rows, columns] = blocksOf(shape, side);
  return tf.tidy(() => {
    const blocks = shareWithNeighbours(shareWithNeighbours(tf.mul(dy, 1 / (side * side)), 2), 1);
    const bands = tf.tile(tf.reshape(blocks, [batch * rows * columns, 1, channels]), [1, half, 1]);
    const whole = tf.tile(tf.reshape(bands, [batch * rows, 1, columns * half * channels]), [1, half, 1]);
    return padTo(tf.reshape(whole, [batch, rows * half, columns * half, channels]), height, width);
  });
}

/** The upper left part of a tensor; itself where that is all. */
function cutTo(x: tf.Tensor4D, height: number, width: number): tf.Tensor4D {
  const [batch, wholeHeight, wholeWidth, channels] = x.shape;
  if (wholeHeight === height && wholeWidth === width) return x;
  return tf.slice(x, [0, 0, 0, 0], [batch, height, width, channels]);
}

/** A tensor with zeros at the right and at the bottom; itself where there is no place for them. */
function padTo(x: tf.Tensor4D, height: number, width: number): tf.Tensor4D {
  const missing: [number, number] = [height - x.shape[1], width - x.shape[2]];
  if (missing[0] === 0 && missing[1] === 0) return x;
  return tf.pad(x, [
    [0, 0],
    [0, missing[0]],
    [0, missing[1]],
    [0, 0],
  ]);
}

/** The sum of each two neighbours along an axis. */
function addNeighbours(x: tf.Tensor4D, axis: 1 | 2): tf.Tensor4D {
  const size = [...x.shape];
  size[axis] -= 1;
  const from = (begin: 0 | 1) => tf.slice(x, axis === 1 ? [0, begin, 0, 0] : [0, 0, begin, 0], size);
  return tf.add(from(0), from(1));
}

/** The transpose of `addNeighbours`. */
function shareWithNeighbours(dy: tf.Tensor4D, axis: 1 | 2): tf.Tensor4D {
  const padded = (before: 0 | 1) => {
    const paddings: [number, number][] = [0, 1, 2, 3].map(() => [0, 0]);
    paddings[axis] = [before, 1 - before];
    return tf.pad(dy, paddings);
  };
  return tf.add(padded(0), padded(1));
}
