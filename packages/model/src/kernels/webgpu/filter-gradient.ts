import tf = require('@tensorflow/tfjs-core');
import type { Kernels } from '../types.js';
import { finishSum } from './channel-sums.js';
import { runProgram } from './program.js';
import { paddingBefore, runsOf } from './taps.js';
import { square, threads } from './tile.js';

const { rows, columns, depth, leftPitch, rightPitch, factors, startSums, addProduct } = square;

/** The gradient of a convolution's filter: the correlation of x with dy. */
export const conv2dFilterGradient: Kernels['conv2dFilterGradient'] = (x, dy, filterShape, stride) => {
  const [side, , inputs, outputs] = filterShape;
  const before = [1, 2].map((axis) => paddingBefore(x.shape[axis], dy.shape[axis], side, stride));
  if (stride === 1 && outputs <= 4 && inputs > outputs) {
    // Few outputs would leave most of a tile empty: slide dy over x instead, which gives the flipped filter.
    const after = before.map((padding) => side - 1 - padding);
    return tf.tidy(() => tf.transpose(tf.reverse(correlation(dy, x, side, after, 1), [0, 1]), [0, 1, 3, 2]));
  }
  return correlation(x, dy, side, before, stride);
};

/** Workgroups that keep a GPU busy; pixels of a slice of the sum, at least for that, and at most for float32's sake. */
const [enoughWorkgroups, leastPixels, mostPixels] = [256, 256, 4096];

/**
 * c[i, j, p, q] = sum over b, u, v of image[b, u * stride + i - top, v * stride + j - left, p] * mask[b, u, v, q], for i and j below `side`: one row
 * of the filter at a time, the product of what its taps see, over all pixels, with the mask. Slices of the pixels are summed apart, and then together.
 */
function correlation(
  image: tf.Tensor4D,
  mask: tf.Tensor4D,
  side: number,
  [top, left]: number[],
  stride: number,
): tf.Tensor4D {
  const [, height, width, inputs] = image.shape;
  const [batch, outHeight, outWidth, outputs] = mask.shape;
  const pixels = batch * outHeight * outWidth;
  const [tilesDown, tilesAcross] = [Math.ceil((side * inputs) / rows), Math.ceil(outputs / columns)];
  const wanted = Math.min(Math.ceil(enoughWorkgroups / (tilesDown * tilesAcross * side)), pixels / leastPixels);
  const slices = Math.ceil(Math.max(wanted, pixels / mostPixels));
  const sums = runProgram<tf.Rank.R3>({
    name: 'filter_gradient',
    inputs: { image, mask },
    shape: [slices, 1, side * side * inputs * outputs],
    integers: {
      ...{ height, width, inputs, outHeight, outWidth, outputs, pixels, side, stride, top, left },
      sliceSteps: Math.ceil(pixels / slices / depth),
    },
    workgroupSize: square.workgroupSize,
    workgroups: [tilesDown, tilesAcross, side * slices],
    code,
  });
  const sum = slices === 1 ? sums : finishSum(sums, 0);
  const gradient = tf.reshape<tf.Rank.R4>(sum, [side, side, inputs, outputs]);
  tf.dispose([sums, sum]);
  return gradient;
}

const code = `
  ${factors}
  ${runsOf(depth)}

  fn main() {
    let filterRow = i32(workgroupId.z) % uniforms.side;
    let slice = i32(workgroupId.z) / uniforms.side;
    let tapsBefore = i32(workgroupId.x) * ${rows};
    let outputsBefore = i32(workgroupId.y) * ${columns};
    let thread = i32(localIndex);
    ${startSums}
    for (var step = 0; step < uniforms.sliceSteps; step++) {
      let pixelsBefore = (slice * uniforms.sliceSteps + step) * ${depth};
      if (thread < ${depth}) { findRun(thread, pixelsBefore + thread, filterRow); }
      workgroupBarrier();
      for (var element = thread; element < ${depth * rows}; element += ${threads}) {
        let place = element / ${rows};
        let tap = tapsBefore + element % ${rows};
        let output = outputsBefore + element % ${columns};
        let pixel = pixelsBefore + place;
        var seen = 0.0;
        if (tap >= firsts[place] && tap < ends[place]) { seen = image[begins[place] + tap]; }
        left[place * ${leftPitch} + element % ${rows}] = seen;
        var gradient = 0.0;
        if (pixel < uniforms.pixels && output < uniforms.outputs) { gradient = mask[pixel * uniforms.outputs + output]; }
        right[place * ${rightPitch} + element % ${columns}] = gradient;
      }
      ${addProduct}
    }
    let run = uniforms.side * uniforms.inputs;
    for (var i = 0; i < 4; i++) {
      let tap = tapsBefore + tileRow + i;
      if (tap >= run) { break; }
      for (var j = 0; j < 4; j++) {
        let output = outputsBefore + tileColumn + j;
        if (output < uniforms.outputs) {
          result[((slice * uniforms.side + filterRow) * run + tap) * uniforms.outputs + output] = sums[i][j];
        }
      }
    }
  }`;
