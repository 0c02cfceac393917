import tf = require('@tensorflow/tfjs-core');
import { runProgram } from './program.js';

/** What an expression of elementwise.ts and channel-sums.ts may name. */
export interface Operands {
  /** Tensors of one shape, whose last axis is the channels: the element at hand. */
  tensors: Record<string, tf.Tensor>;
  /** A value a channel: that of the element's channel. */
  channels?: Record<string, tf.Tensor>;
  /** Numbers, the same for all elements. */
  numbers?: Record<string, number>;
}

const threads = 128;

/**
 * A tensor of the operands' shape by an expression in WGSL, in one dispatch. `name` stands for the expression.
 * It may use `channel`, the element's.
 */
export function elementwise(name: string, expression: string, operands: Operands): tf.Tensor4D {
  const { tensors, channels = {}, numbers = {} } = operands;
  const { shape } = Object.values(tensors)[0] as tf.Tensor4D;
  return runProgram<tf.Rank.R4>({
    name,
    inputs: arrays(operands),
    shape,
    integers: { channelCount: shape[3] },
    floats: numbers,
    workgroupSize: [threads, 1, 1],
    code: `
      fn main(index: i32) {
        if (index >= uniforms.size) { return; }
        let channel = index % uniforms.channelCount;
        ${declarations(tensors, 'index')}
        ${declarations(channels, 'channel')}
        ${numberDeclarations(numbers)}
        result[index] = ${expression};
      }`,
  });
}

/** The operands as arrays, `xs` of `x`. */
export const arrays = ({ tensors, channels = {} }: Operands): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries({ ...tensors, ...channels }).map(([name, tensor]) => [`${name}s`, tensor]));

/** `let x = xs[at];` for each. */
export const declarations = (operands: Record<string, tf.Tensor>, at: string): string =>
  Object.keys(operands)
    .map((name) => `let ${name} = ${name}s[${at}];`)
    .join(' ');

/** `let slope = uniforms.slope;` for each. */
export const numberDeclarations = (numbers: Record<string, number>): string =>
  Object.keys(numbers)
    .map((name) => `let ${name} = uniforms.${name};`)
    .join(' ');
