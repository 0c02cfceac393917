import type tf = require('@tensorflow/tfjs-core');
import { genericKernels } from '../generic.js';
import type { Kernels } from '../types.js';
import { paddingBefore } from './filter-gradient.js';
import { runProgram } from './program.js';
import { addProduct, startSums, tileDepth, tilePitch, tiles, tileSide, tileThreads } from './tile.js';

/**
 * The gradient of a convolution's input: the product of what each pixel of x sees of dy with the filter. With a stride of 2, pixels whose row and
 * column are both even, and so on, see the same taps; these four phases are computed apart, so that no tap is a zero between two pixels of dy.
 */
export const conv2dInputGradient: Kernels['conv2dInputGradient'] = (dy, filter, xShape, stride) => {
  const [batch, height, width, inputs] = xShape;
  // Few inputs would leave most of a tile empty.
  if (inputs <= 4) return genericKernels.conv2dInputGradient(dy, filter, xShape, stride);
  const [, outHeight, outWidth, outputs] = dy.shape;
  const [side] = filter.shape;
  const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const taps = Math.ceil(side / stride);
  return runProgram<tf.Rank.R4>({
    name: 'input_gradient',
    inputs: { dy, filters: filter },
    shape: xShape,
    integers: {
      ...{ height, width, inputs, outHeight, outWidth, outputs, side, stride, rows, columns, taps },
      pixels: batch * rows * columns,
      top: paddingBefore(height, outHeight, side, stride),
      left: paddingBefore(width, outWidth, side, stride),
      steps: Math.ceil((taps * outputs) / tileDepth),
    },
    workgroupSize: tileThreads,
    workgroups: [Math.ceil((batch * rows * columns) / tileSide), Math.ceil(inputs / tileSide), stride * stride],
    code,
  });
};

const threads = tileThreads[0] * tileThreads[1];

const code = `
  ${tiles}
  // Of each of the tile's pixels: where in dy its run of taps begins, and which part of the run is inside.
  var<workgroup> begins: array<i32, ${tileSide}>;
  var<workgroup> firsts: array<i32, ${tileSide}>;
  var<workgroup> ends: array<i32, ${tileSide}>;

  // Along one axis, pixel stride * i + phase sees dy[i + ahead - t] by the taps first + stride * t.
  struct Phase { first: i32, count: i32, ahead: i32 }

  fn phaseOf(offset: i32) -> Phase {
    let first = offset % uniforms.stride;
    let count = (uniforms.side - first + uniforms.stride - 1) / uniforms.stride;
    return Phase(first, max(count, 0), (offset - first) / uniforms.stride);
  }

  fn main() {
    let rowPhase = i32(workgroupId.z) / uniforms.stride;
    let columnPhase = i32(workgroupId.z) % uniforms.stride;
    let down = phaseOf(rowPhase + uniforms.top);
    let along = phaseOf(columnPhase + uniforms.left);
    let run = along.count * uniforms.outputs;
    let pixelsBefore = i32(workgroupId.x) * ${tileSide};
    let inputsBefore = i32(workgroupId.y) * ${tileSide};
    let thread = i32(localIndex);
    ${startSums}
    for (var t = 0; t < uniforms.taps; t++) {
      let filterRow = down.first + uniforms.stride * t;
      if (thread < ${tileSide}) {
        let pixel = pixelsBefore + thread;
        let row = pixel / uniforms.columns % uniforms.rows + down.ahead - t;
        let column = pixel % uniforms.columns + along.ahead - (along.count - 1);
        let picture = pixel / (uniforms.columns * uniforms.rows);
        let isInside = pixel < uniforms.pixels && t < down.count && row >= 0 && row < uniforms.outHeight;
        begins[thread] = ((picture * uniforms.outHeight + row) * uniforms.outWidth + column) * uniforms.outputs;
        firsts[thread] = max(-column, 0) * uniforms.outputs;
        ends[thread] = select(0, min(along.count, uniforms.outWidth - column) * uniforms.outputs, isInside);
      }
      for (var step = 0; step < uniforms.steps; step++) {
        workgroupBarrier();
        let depth = thread % ${tileDepth};
        let tap = step * ${tileDepth} + depth;
        // The run goes through dy forwards, and so through the filter's taps backwards.
        let filterColumn = along.first + uniforms.stride * (along.count - 1 - tap / uniforms.outputs);
        let output = tap % uniforms.outputs;
        for (var line = thread / ${tileDepth}; line < ${tileSide}; line += ${threads / tileDepth}) {
          var seen = 0.0;
          if (tap >= firsts[line] && tap < ends[line]) { seen = dy[begins[line] + tap]; }
          left[depth * ${tilePitch} + line] = seen;
          let input = inputsBefore + line;
          var weight = 0.0;
          if (t < down.count && tap < run && input < uniforms.inputs) {
            weight = filters[((filterRow * uniforms.side + filterColumn) * uniforms.inputs + input) * uniforms.outputs + output];
          }
          right[depth * ${tilePitch} + line] = weight;
        }
        ${addProduct}
      }
    }
    for (var i = 0; i < 4; i++) {
      let pixel = pixelsBefore + tileRow + i;
      let row = pixel / uniforms.columns % uniforms.rows * uniforms.stride + rowPhase;
      let column = pixel % uniforms.columns * uniforms.stride + columnPhase;
      let picture = pixel / (uniforms.columns * uniforms.rows);
      if (pixel >= uniforms.pixels || row >= uniforms.height || column >= uniforms.width) { continue; }
      for (var j = 0; j < 4; j++) {
        let input = inputsBefore + tileColumn + j;
        if (input < uniforms.inputs) {
          result[((picture * uniforms.height + row) * uniforms.width + column) * uniforms.inputs + input] = sums[i][j];
        }
      }
    }
  }`;
