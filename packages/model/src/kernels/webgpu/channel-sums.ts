import tf = require('@tensorflow/tfjs-core');
import { arrays, declarations, numberDeclarations, type Operands } from './elementwise.js';
import { runProgram } from './program.js';

/*
 * Sums over batch, height and width in an order that only the sizes determine: threads of a workgroup, workgroups of a slice of the pixels, slices.
 */

/** Threads of a workgroup: along the channels, whose neighbours are neighbours in memory, and along the pixels. */
const [across, along] = [32, 8];
/** Pixels of a slice, at the least, and slices, at the most. */
const [leastPixels, mostSlices] = [256, 64];

/** Sums of slices of the pixels, [slices, expressions, channels]. */
export type SliceSums = tf.Tensor3D;

/** Each channel's sums of some expressions in WGSL, slice by slice; `finishSum` ends them. `name` stands for the expressions. */
export function sliceSums(name: string, expressions: string[], operands: Operands): SliceSums {
  const { tensors, channels = {}, numbers = {} } = operands;
  const [first] = Object.values(tensors) as tf.Tensor4D[];
  const channelCount = first.shape[3];
  const pixels = first.size / channelCount;
  const slices = Math.min(mostSlices, Math.ceil(pixels / leastPixels));
  const of = (line: (expression: string, i: number) => string) => expressions.map(line).join(' ');
  return runProgram<tf.Rank.R3>({
    name: `sums_${name}`,
    inputs: arrays(operands),
    shape: [slices, expressions.length, channelCount],
    integers: { channelCount, pixels, slicePixels: Math.ceil(pixels / slices) },
    floats: numbers,
    workgroupSize: [across, along, 1],
    workgroups: [Math.ceil(channelCount / across), slices, 1],
    code: `
      var<workgroup> sums: array<array<f32, ${across * along}>, ${expressions.length}>;
      fn main() {
        let channel = i32(workgroupId.x) * ${across} + i32(localId.x);
        let slice = i32(workgroupId.y);
        let end = min((slice + 1) * uniforms.slicePixels, uniforms.pixels);
        ${of((_, i) => `var sum${i} = 0.0;`)}
        if (channel < uniforms.channelCount) {
          ${declarations(channels, 'channel')}
          ${numberDeclarations(numbers)}
          for (var pixel = slice * uniforms.slicePixels + i32(localId.y); pixel < end; pixel += ${along}) {
            let index = pixel * uniforms.channelCount + channel;
            ${declarations(tensors, 'index')}
            ${of((expression, i) => `sum${i} += ${expression};`)}
          }
        }
        ${of((_, i) => `sums[${i}][localIndex] = sum${i};`)}
        workgroupBarrier();
        if (localId.y == 0u && channel < uniforms.channelCount) {
          for (var row = 1u; row < ${along}u; row++) {
            ${of((_, i) => `sum${i} += sums[${i}][row * ${across}u + localId.x];`)}
          }
          let at = slice * ${expressions.length} * uniforms.channelCount + channel;
          ${of((_, i) => `result[at + ${i} * uniforms.channelCount] = sum${i};`)}
        }
      }`,
  });
}

/** A value a channel by an expression in WGSL of `sum`, the sum over all slices of one of the expressions, and of `numbers`. */
export function finishSum(
  slices: SliceSums,
  which: number,
  name = 'sum',
  expression = 'sum',
  numbers: Record<string, number> = {},
): tf.Tensor1D {
  const [sliceCount, expressions, channelCount] = slices.shape;
  return runProgram<tf.Rank.R1>({
    name: `finish_${name}`,
    inputs: { slices },
    shape: [channelCount],
    integers: { sliceCount, stride: expressions * channelCount, offset: which * channelCount },
    floats: numbers,
    workgroupSize: [64, 1, 1],
    code: `
      fn main(index: i32) {
        if (index >= uniforms.size) { return; }
        var sum = 0.0;
        for (var slice = 0; slice < uniforms.sliceCount; slice++) {
          sum += slices[slice * uniforms.stride + uniforms.offset + index];
        }
        ${numberDeclarations(numbers)}
        result[index] = ${expression};
      }`,
  });
}

/** Each channel's sums of some expressions in WGSL, one tensor an expression. */
export function channelSumsOf(name: string, expressions: string[], operands: Operands): tf.Tensor1D[] {
  const slices = sliceSums(name, expressions, operands);
  const sums = expressions.map((_, i) => finishSum(slices, i));
  slices.dispose();
  return sums;
}
