/** TensorFlow's filter [height, width, inputs, outputs] as [outputs, inputs, height, width], the layout of PyTorch and ONNX. */
export function hwioToOihw(
  filter: Float32Array,
  [height, width, inputs, outputs]: number[],
): Float32Array<ArrayBuffer> {
  const area = height * width;
  const oihw = new Float32Array(filter.length);
  for (let at = 0; at < area; at++) {
    for (let input = 0; input < inputs; input++) {
      for (let output = 0; output < outputs; output++) {
        oihw[(output * inputs + input) * area + at] = filter[(at * inputs + input) * outputs + output];
      }
    }
  }
  return oihw;
}

/** The inverse: a filter [outputs, inputs, height, width] as `[height, width, inputs, outputs]`, the shape that is given. */
export function oihwToHwio(oihw: Float32Array, [height, width, inputs, outputs]: number[]): Float32Array<ArrayBuffer> {
  const area = height * width;
  const filter = new Float32Array(oihw.length);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let at = 0; at < area; at++) {
        filter[(at * inputs + input) * outputs + output] = oihw[(output * inputs + input) * area + at];
      }
    }
  }
  return filter;
}
