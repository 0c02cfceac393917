import type tf = require('@tensorflow/tfjs-core');
import { runProgram } from './program.js';

/** The gradient of the maximum of each 2 x 2 block of x: dy where the block's first maximum is, 0 elsewhere. */
export function maxPoolGradient(dy: tf.Tensor4D, x: tf.Tensor4D): tf.Tensor4D {
  const [, height, width, channels] = x.shape;
  return runProgram<tf.Rank.R4>({
    name: 'max_pool_gradient',
    inputs: { dy, x },
    shape: x.shape,
    integers: { height, width, channels },
    workgroupSize: [128, 1, 1],
    code: `
      fn main(index: i32) {
        if (index >= uniforms.size) { return; }
        let channel = index % uniforms.channels;
        let pixel = index / uniforms.channels;
        let column = pixel % uniforms.width;
        let row = pixel / uniforms.width % uniforms.height;
        let picture = pixel / (uniforms.width * uniforms.height);
        let blockRow = row / 2;
        let blockColumn = column / 2;
        // A last odd row or column is in no block.
        if (blockRow >= uniforms.height / 2 || blockColumn >= uniforms.width / 2) {
          result[index] = 0.0;
          return;
        }
        let line = uniforms.width * uniforms.channels;
        let corner = index - (row % 2) * line - (column % 2) * uniforms.channels;
        var largest = x[corner];
        var place = 0;
        for (var other = 1; other < 4; other++) {
          let value = x[corner + (other / 2) * line + (other % 2) * uniforms.channels];
          if (value > largest) { largest = value; place = other; }
        }
        let block = (picture * (uniforms.height / 2) + blockRow) * (uniforms.width / 2) + blockColumn;
        let isHere = place == (row % 2) * 2 + column % 2;
        result[index] = select(0.0, dy[block * uniforms.channels + channel], isHere);
      }`,
  });
}
