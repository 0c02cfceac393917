import tf = require('@tensorflow/tfjs-core');
import type { Kernels } from '../types.js';
import { finishSum } from './channel-sums.js';
import { runProgram } from './program.js';
import { addProduct, startSums, tileDepth, tilePitch, tiles, tileSide, tileThreads } from './tile.js';

/**
 * The gradient of a convolution's filter, one row of the filter at a time: the product of what its taps see, over all pixels, with dy. The taps of
 * a row and their channels lie one after the other in a picture's line, so that a pixel's part of the left factor is a run of x.
 */
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

/** Zeros of padding 'same' above or left of a picture. */
export const paddingBefore = (size: number, outSize: number, side: number, stride: number): number =>
  Math.floor(Math.max((outSize - 1) * stride + side - size, 0) / 2);

/** Workgroups that keep a GPU busy; pixels of a slice of the sum, at least for that, and at most for float32's sake. */
const [enoughWorkgroups, leastPixels, mostPixels] = [256, 256, 4096];

/** c[i, j, p, q] = sum over b, u, v of image[b, u * stride + i - top, v * stride + j - left, p] * mask[b, u, v, q], for i and j below `side`. */
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
  const [tilesDown, tilesAcross] = [Math.ceil((side * inputs) / tileSide), Math.ceil(outputs / tileSide)];
  const wanted = Math.min(Math.ceil(enoughWorkgroups / (tilesDown * tilesAcross * side)), pixels / leastPixels);
  const slices = Math.ceil(Math.max(wanted, pixels / mostPixels));
  const sums = runProgram<tf.Rank.R3>({
    name: 'filter_gradient',
    inputs: { image, mask },
    shape: [slices, 1, side * side * inputs * outputs],
    integers: {
      ...{ height, width, inputs, outHeight, outWidth, outputs, pixels, side, stride, top, left },
      sliceSteps: Math.ceil(pixels / slices / tileDepth),
    },
    workgroupSize: tileThreads,
    workgroups: [tilesDown, tilesAcross, side * slices],
    code,
  });
  const sum = slices === 1 ? sums : finishSum(sums, 0);
  const gradient = tf.reshape<tf.Rank.R4>(sum, [side, side, inputs, outputs]);
  tf.dispose([sums, sum]);
  return gradient;
}

const threads = tileThreads[0] * tileThreads[1];

const code = `
  ${tiles}
  // Of each of the pixels in a tile: where in the image its run of taps begins, and which part of the run is inside the picture.
  var<workgroup> begins: array<i32, ${tileDepth}>;
  var<workgroup> firsts: array<i32, ${tileDepth}>;
  var<workgroup> ends: array<i32, ${tileDepth}>;

  fn main() {
    let filterRow = i32(workgroupId.z) % uniforms.side;
    let slice = i32(workgroupId.z) / uniforms.side;
    let tapsBefore = i32(workgroupId.x) * ${tileSide};
    let outputsBefore = i32(workgroupId.y) * ${tileSide};
    let thread = i32(localIndex);
    ${startSums}
    for (var step = 0; step < uniforms.sliceSteps; step++) {
      let pixelsBefore = (slice * uniforms.sliceSteps + step) * ${tileDepth};
      if (thread < ${tileDepth}) {
        let pixel = pixelsBefore + thread;
        let row = pixel / uniforms.outWidth % uniforms.outHeight * uniforms.stride - uniforms.top + filterRow;
        let column = pixel % uniforms.outWidth * uniforms.stride - uniforms.left;
        let picture = pixel / (uniforms.outWidth * uniforms.outHeight);
        let isInside = pixel < uniforms.pixels && row >= 0 && row < uniforms.height;
        begins[thread] = ((picture * uniforms.height + row) * uniforms.width + column) * uniforms.inputs;
        firsts[thread] = max(-column, 0) * uniforms.inputs;
        ends[thread] = select(0, min(uniforms.side, uniforms.width - column) * uniforms.inputs, isInside);
      }
      workgroupBarrier();
      for (var element = thread; element < ${tileDepth * tileSide}; element += ${threads}) {
        let depth = element / ${tileSide};
        let tap = tapsBefore + element % ${tileSide};
        let output = outputsBefore + element % ${tileSide};
        let pixel = pixelsBefore + depth;
        let place = depth * ${tilePitch} + element % ${tileSide};
        var seen = 0.0;
        if (tap >= firsts[depth] && tap < ends[depth]) { seen = image[begins[depth] + tap]; }
        left[place] = seen;
        var gradient = 0.0;
        if (pixel < uniforms.pixels && output < uniforms.outputs) { gradient = mask[pixel * uniforms.outputs + output]; }
        right[place] = gradient;
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
