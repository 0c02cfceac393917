import type tf = require('@tensorflow/tfjs-core');
import type { Kernels } from '../types.js';
import { runProgram } from './program.js';
import { paddingBefore, runs } from './taps.js';
import { spread, threads, tileFor, type Tile } from './tile.js';

/**
 * The gradient of a convolution's input: the product of what each pixel of x sees of dy with the filter. With a stride of 2, pixels whose row and
 * column are both even, and so on, see the same taps; these four phases are computed apart, so that no tap is a zero between two pixels of dy.
 */
export const conv2dInputGradient: Kernels['conv2dInputGradient'] = (dy, filter, xShape, stride) => {
  const [batch, height, width, inputs] = xShape;
  const [, outHeight, outWidth, outputs] = dy.shape;
  const [side] = filter.shape;
  const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const taps = Math.ceil(side / stride);
  const tile = tileFor(inputs);
  const [tilesAlongX, tilesAlongZ] = spread(Math.ceil((batch * rows * columns) / tile.rows));
  return runProgram<tf.Rank.R4>({
    name: `input_gradient_${tile.name}`,
    inputs: { dy, filters: filter },
    shape: xShape,
    integers: {
      ...{ height, width, inputs, outHeight, outWidth, outputs, side, stride, rows, columns, taps },
      pixels: batch * rows * columns,
      top: paddingBefore(height, outHeight, side, stride),
      left: paddingBefore(width, outWidth, side, stride),
      steps: Math.ceil((taps * outputs) / tile.depth),
    },
    workgroupSize: tile.workgroupSize,
    workgroups: [tilesAlongX, Math.ceil(inputs / tile.columns), stride * stride * tilesAlongZ],
    code: codeOf(tile),
  });
};

/** WGSL: which taps the pixels of a phase see. */
const phases = `
  // Along one axis, pixel stride * i + phase sees dy[i + ahead - t] by the taps first + stride * t.
  struct Phase { first: i32, count: i32, ahead: i32 }

  fn phaseOf(offset: i32) -> Phase {
    let first = offset % uniforms.stride;
    let count = (uniforms.side - first + uniforms.stride - 1) / uniforms.stride;
    return Phase(first, max(count, 0), (offset - first) / uniforms.stride);
  }`;

/** WGSL: write the thread's part of a tile. */
const store = `
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
    }`;

const codeOf = ({ rows, columns, depth, leftPitch, rightPitch, factors, startSums, addProduct }: Tile) => `
  ${factors}
  ${runs(rows)}

  ${phases}

  fn main() {
    let phases = uniforms.stride * uniforms.stride;
    let rowPhase = i32(workgroupId.z) % phases / uniforms.stride;
    let columnPhase = i32(workgroupId.z) % uniforms.stride;
    let down = phaseOf(rowPhase + uniforms.top);
    let along = phaseOf(columnPhase + uniforms.left);
    let run = along.count * uniforms.outputs;
    let pixelsBefore = (i32(workgroupId.z) / phases * i32(numWorkgroups.x) + i32(workgroupId.x)) * ${rows};
    let inputsBefore = i32(workgroupId.y) * ${columns};
    let thread = i32(localIndex);
    ${startSums}
    for (var t = 0; t < uniforms.taps; t++) {
      let filterRow = down.first + uniforms.stride * t;
      for (var place = thread; place < ${rows}; place += ${threads}) {
        let pixel = pixelsBefore + place;
        let row = pixel / uniforms.columns % uniforms.rows + down.ahead - t;
        let column = pixel % uniforms.columns + along.ahead - (along.count - 1);
        let picture = pixel / (uniforms.columns * uniforms.rows);
        let isInside = pixel < uniforms.pixels && t < down.count && row >= 0 && row < uniforms.outHeight;
        begins[place] = ((picture * uniforms.outHeight + row) * uniforms.outWidth + column) * uniforms.outputs;
        firsts[place] = max(-column, 0) * uniforms.outputs;
        ends[place] = select(0, min(along.count, uniforms.outWidth - column) * uniforms.outputs, isInside);
      }
      for (var step = 0; step < uniforms.steps; step++) {
        workgroupBarrier();
        let place = thread % ${depth};
        let tap = step * ${depth} + place;
        for (var line = thread / ${depth}; line < ${rows}; line += ${threads / depth}) {
          var seen = 0.0;
          if (tap >= firsts[line] && tap < ends[line]) { seen = dy[begins[line] + tap]; }
          left[place * ${leftPitch} + line] = seen;
        }
        // The run goes through dy forwards, and so through the filter's taps backwards.
        let filterColumn = along.first + uniforms.stride * (along.count - 1 - tap / uniforms.outputs);
        let output = tap % uniforms.outputs;
        for (var line = thread / ${depth}; line < ${columns}; line += ${threads / depth}) {
          let input = inputsBefore + line;
          var weight = 0.0;
          if (t < down.count && tap < run && input < uniforms.inputs) {
            weight = filters[((filterRow * uniforms.side + filterColumn) * uniforms.inputs + input) * uniforms.outputs + output];
          }
          right[place * ${rightPitch} + line] = weight;
        }
        ${addProduct}
      }
    }
    ${store}
  }`;
