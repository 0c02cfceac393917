import type tf = require('@tensorflow/tfjs-core');
import type { Kernels } from '../types.js';
import { runProgram } from './program.js';
import { paddingBefore, runsOf } from './taps.js';
import { spread, threads, tileFor, type Tile } from './tile.js';

/*
 * A convolution is a product of matrices for each row of the filter: what the row's taps see of each pixel, with the taps. Sizes, strides and
 * activations are uniforms, so that one kernel serves all; TensorFlow.js compiles one for each kind.
 */

export const conv2d: Kernels['conv2d'] = (x, filter, bias, stride) => convolution(x, filter, bias, stride, 1);

export const conv2dRelu: Kernels['conv2dRelu'] = (x, filter, bias) => convolution(x, filter, bias, 1, 0);

/** max(y, 0) + slope * min(y, 0) of the convolution y. */
function convolution(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  bias: tf.Tensor1D | undefined,
  stride: number,
  slope: number,
): tf.Tensor4D {
  const [batch, height, width, inputs] = x.shape;
  const [side, , , outputs] = filter.shape;
  const [outHeight, outWidth] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const pixels = batch * outHeight * outWidth;
  const tile = tileFor(outputs);
  const [tilesAlongX, tilesAlongZ] = spread(Math.ceil(pixels / tile.rows));
  return runProgram<tf.Rank.R4>({
    name: `convolution_${tile.name}`,
    // Without a bias there is nothing to bind; any array will do.
    inputs: { image: x, taps: filter, biases: bias ?? filter },
    shape: [batch, outHeight, outWidth, outputs],
    integers: {
      ...{ height, width, inputs, outHeight, outWidth, outputs, pixels, side, stride },
      top: paddingBefore(height, outHeight, side, stride),
      left: paddingBefore(width, outWidth, side, stride),
      hasBias: bias ? 1 : 0,
    },
    floats: { slope },
    workgroupSize: tile.workgroupSize,
    workgroups: [tilesAlongX, Math.ceil(outputs / tile.columns), tilesAlongZ],
    code: codeOf(tile),
  });
}

const codeOf = ({ rows, columns, depth, leftPitch, rightPitch, factors, startSums, addProduct }: Tile) => `
  ${factors}
  ${runsOf(rows)}

  fn main() {
    let pixelsBefore = i32(workgroupId.z * numWorkgroups.x + workgroupId.x) * ${rows};
    let outputsBefore = i32(workgroupId.y) * ${columns};
    let thread = i32(localIndex);
    let run = uniforms.side * uniforms.inputs;
    ${startSums}
    for (var filterRow = 0; filterRow < uniforms.side; filterRow++) {
      for (var place = thread; place < ${rows}; place += ${threads}) { findRun(place, pixelsBefore + place, filterRow); }
      for (var tapsBefore = 0; tapsBefore < run; tapsBefore += ${depth}) {
        workgroupBarrier();
        let seenTap = thread % ${depth};
        let tap = tapsBefore + seenTap;
        for (var line = thread / ${depth}; line < ${rows}; line += ${threads / depth}) {
          var seen = 0.0;
          if (tap >= firsts[line] && tap < ends[line]) { seen = image[begins[line] + tap]; }
          left[seenTap * ${leftPitch} + line] = seen;
        }
        for (var element = thread; element < ${depth * columns}; element += ${threads}) {
          let tapOfRow = tapsBefore + element / ${columns};
          let output = outputsBefore + element % ${columns};
          var weight = 0.0;
          if (tapOfRow < run && output < uniforms.outputs) {
            weight = taps[(filterRow * run + tapOfRow) * uniforms.outputs + output];
          }
          right[element / ${columns} * ${rightPitch} + element % ${columns}] = weight;
        }
        ${addProduct}
      }
    }
    for (var i = 0; i < 4; i++) {
      let pixel = pixelsBefore + tileRow + i;
      if (pixel >= uniforms.pixels) { break; }
      for (var j = 0; j < 4; j++) {
        let output = outputsBefore + tileColumn + j;
        if (output >= uniforms.outputs) { break; }
        var sum = sums[i][j];
        if (uniforms.hasBias == 1) { sum += biases[output]; }
        result[pixel * uniforms.outputs + output] = select(uniforms.slope * sum, sum, sum > 0.0);
      }
    }
  }`;
