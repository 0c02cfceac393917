import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import { genericKernels } from './generic.js';
import { rearranged } from './wasm-memory.js';

/*
 * Convolution and its gradients from forward convolutions, the only operation that is fast in TF.js's wasm backend. Its
 * innermost loops run over input channels and over blocks of eight output channels; if a convolution has few of
 * these, neighbouring pixels are folded into channels.
 */

type Shape4 = tf.Tensor4D['shape'];

/** Forward convolution, 'same' padding. */
export function conv2d(x: tf.Tensor4D, filter: tf.Tensor4D, bias: tf.Tensor1D | undefined, stride: 1 | 2): tf.Tensor4D {
  const [side, , , outputs] = filter.shape;
  const [batch, height, width] = x.shape;
  if (stride !== 1 || outputs > 4 || side % 2 === 0 || width % 2 !== 0) {
    return tf.fused.conv2d({ x, filter, bias, strides: stride, pad: 'same' });
  }
  // Two neighbouring output pixels at once, with a filter one column wider at stride 2.
  return tf.tidy(() => {
    const pair = tf.concat([padColumns(filter, 0, 1), padColumns(filter, 1, 0)], 3);
    const pairBias = bias && tf.concat([bias, bias]);
    const y = tf.fused.conv2d({ x, filter: pair, bias: pairBias, strides: [1, 2], pad: 'same' });
    return tf.reshape(y, [batch, height, width, outputs]);
  });
}

/** Input gradient; stride 2 with an odd side needs side 3 and an even height and width. */
export function conv2dInputGradient(dy: tf.Tensor4D, filter: tf.Tensor4D, xShape: Shape4, stride: 1 | 2): tf.Tensor4D {
  // Only a discriminator's patch head has even sides.
  if (filter.shape[0] % 2 === 0) return genericKernels.conv2dInputGradient(dy, filter, xShape, stride);
  if (stride === 2) return inputGradientOfStride2(dy, filter, xShape);
  return tf.tidy(() => conv2dPairs(dy, tf.transpose(flipped(filter), [0, 1, 3, 2])));
}

/** Stride 1; folds pairs of input pixels into channels if the input has few. */
function conv2dPairs(x: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D {
  const [side, , inputs, outputs] = filter.shape;
  const [batch, height, width] = x.shape;
  if (inputs > 4 || width % 2 !== 0) return tf.conv2d(x, filter, 1, 'same');
  const pad = (side - 1) / 2;
  const firstPair = Math.floor(-pad / 2);
  const pairs = Math.floor((side - pad) / 2) - firstPair + 1;
  const phases = [0, 1].map((column) => {
    const left = column - pad - 2 * firstPair;
    return tf.reshape(padColumns(filter, left, 2 * pairs - side - left), [side, pairs, 2 * inputs, outputs]);
  });
  const folded: tf.Tensor4D = tf.reshape(x, [batch, height, width / 2, 2 * inputs]);
  return tf.reshape(tf.conv2d(folded, tf.concat(phases, 3) as tf.Tensor4D, 1, 'same'), [batch, height, width, outputs]);
}

/**
 * With 'same' padding (0, 1), x[2i] is multiplied by tap 0 for y[i] and tap 2 for y[i-1], x[2i+1] by tap 1 for y[i]: a 2 x 2
 * convolution over dy whose output channels are the four pixels of a block.
 */
function inputGradientOfStride2(dy: tf.Tensor4D, filter: tf.Tensor4D, xShape: Shape4): tf.Tensor4D {
  const [batch, height, width, inputs] = xShape;
  const [side, , , outputs] = filter.shape;
  assert(side === 3 && height % 2 === 0 && width % 2 === 0, 'stride 2 takes 3 x 3 filters and even sizes');
  return tf.tidy(() => {
    const taps = tf.transpose(filter, [0, 1, 3, 2]);
    const blocks = rearranged<tf.Rank.R4>(taps, [2, 2, outputs, 4 * inputs], (from, to) => {
      to.fill(0);
      // Along each axis, for pixel 2i + phase, dy[i - 1 + near] is multiplied by tap 2 * (1 - near) + phase if it exists.
      for (let place = 0; place < 16; place++) {
        const [nearRow, nearColumn, rowPhase, columnPhase] = [
          place >> 3,
          (place >> 2) & 1,
          (place >> 1) & 1,
          place & 1,
        ];
        const [row, column] = [2 * (1 - nearRow) + rowPhase, 2 * (1 - nearColumn) + columnPhase];
        if (row > 2 || column > 2) continue;
        for (let output = 0; output < outputs; output++) {
          const run = ((3 * row + column) * outputs + output) * inputs;
          const target = ((2 * nearRow + nearColumn) * outputs + output) * 4 + 2 * rowPhase + columnPhase;
          to.set(from.subarray(run, run + inputs), target * inputs);
        }
      }
    });
    const y = tf.conv2d(dy, blocks, 1, [
      [0, 0],
      [1, 0],
      [1, 0],
      [0, 0],
    ]);
    const swapped = tf.transpose(tf.reshape(y, [(batch * height) / 2, width / 2, 2, 2 * inputs]), [0, 2, 1, 3]);
    return tf.reshape(swapped, xShape);
  });
}

/** Filter gradient: a convolution with the batch as channels and the stride as dilation. */
export function conv2dFilterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  [side, , inputs, outputs]: Shape4,
  stride: 1 | 2,
): tf.Tensor4D {
  const before = [1, 2].map((axis) => {
    const total = Math.max((dy.shape[axis] - 1) * stride + side - x.shape[axis], 0);
    return Math.floor(total / 2);
  }) as [number, number];
  if (stride === 1 && outputs <= 4 && inputs > outputs) {
    // Few outputs would leave most of a block of eight idle: slide dy over x instead, which gives the flipped filter.
    const after = before.map((pad) => side - 1 - pad) as [number, number];
    return tf.tidy(() => tf.transpose(flipped(correlation(dy, x, side, after, 1)), [0, 1, 3, 2]));
  }
  return correlation(x, dy, side, before, stride);
}

/** Target for batch times strips, which become channels; with fewer the innermost loop is too short. */
const goodChannels = 16;

/**
 * c[i, j, p, q] = sum over b, u, v of image[b, u * stride + i - top, v * stride + j - left, p] * mask[b, u, v, q], for i and j
 * below `side`. Pictures are cut into strips of rows, each a batch element.
 */
function correlation(
  image: tf.Tensor4D,
  mask: tf.Tensor4D,
  side: number,
  [top, left]: [number, number],
  stride: 1 | 2,
): tf.Tensor4D {
  const [, height, width] = image.shape;
  const [batch, maskHeight, maskWidth, maskChannels] = mask.shape;
  assert(height === maskHeight * stride, 'stride 2 takes even sizes');
  const right = (maskWidth - 1) * stride + side - width - left;
  const strips = stripCount(batch, maskHeight, side / stride);
  return tf.tidy(() => {
    const imageStrips = stripsWithNeighbours(image, strips, top, side - stride - top);
    const maskStrips: tf.Tensor4D = tf.reshape(mask, [batch * strips, maskHeight / strips, maskWidth, maskChannels]);
    const products = tf.conv2d(
      tf.transpose(imageStrips, [3, 1, 2, 0]),
      tf.transpose(maskStrips, [1, 2, 0, 3]),
      1,
      [
        [0, 0],
        [0, 0],
        [left, right],
        [0, 0],
      ],
      'NHWC',
      stride,
    );
    return tf.transpose(products, [1, 2, 0, 3]);
  });
}

/** The number of equal strips of at least `minimum` rows to cut a picture into. */
function stripCount(batch: number, rows: number, minimum: number): number {
  let count = Math.ceil(goodChannels / batch);
  while (count > 1 && (rows % count !== 0 || rows / count < minimum)) count--;
  return count;
}

/** x cut into strips of rows along the batch, each with its neighbours' rows above and below, zeros beyond the picture. */
function stripsWithNeighbours(x: tf.Tensor4D, count: number, above: number, below: number): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const rows = height / count;
  const seen = above + rows + below;
  const line = width * channels;
  return rearranged<tf.Rank.R4>(x, [batch * count, seen, width, channels], (from, to) => {
    to.fill(0);
    for (let strip = 0; strip < batch * count; strip++) {
      const top = (strip % count) * rows - above;
      const first = Math.max(top, 0);
      const last = Math.min(top + seen, height);
      const picture = Math.floor(strip / count) * height;
      to.set(from.subarray((picture + first) * line, (picture + last) * line), (strip * seen + first - top) * line);
    }
  });
}

const padColumns = (filter: tf.Tensor4D, left: number, right: number): tf.Tensor4D =>
  tf.pad(filter, [
    [0, 0],
    [left, right],
    [0, 0],
    [0, 0],
  ]);

/** Rows and columns in reverse order. */
function flipped(filter: tf.Tensor4D): tf.Tensor4D {
  const [side, , inputs, outputs] = filter.shape;
  const size = inputs * outputs;
  const last = side * side - 1;
  return rearranged<tf.Rank.R4>(filter, filter.shape, (from, to) => {
    for (let tap = 0; tap <= last; tap++) to.set(from.subarray(tap * size, (tap + 1) * size), (last - tap) * size);
  });
}
