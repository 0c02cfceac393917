import tf = require('@tensorflow/tfjs-core');
import { webgpuBackend } from './backend.js';

/*
 * Kernels of our own in WGSL, run by TensorFlow.js's WebGPU backend, which compiles each once, binds its tensors and records its dispatch. It
 * declares `localId`, `localIndex`, `workgroupId`, `uniforms` and `result`, an array of f32, and calls `main`.
 */

/** A kernel with its arguments. */
export interface Program {
  /** Kernels of one name have one code. */
  name: string;
  /** Read as arrays of f32 of these names, whatever their shapes. */
  inputs: Record<string, tf.Tensor>;
  shape: number[];
  /** Fields of `uniforms`: an i32 each. */
  integers?: Record<string, number>;
  /** Fields of `uniforms`: an f32, or a vector of two to four. */
  floats?: Record<string, number | number[]>;
  workgroupSize: [x: number, y: number, z: number];
  /** Workgroups in each dimension, at most 65,535; undefined for a thread an element, for which `main` takes the element's index. */
  workgroups?: [x: number, y: number, z: number];
  /** WGSL with the function `main`. */
  code: string;
}

/** Run a kernel; its result belongs to the caller. */
export function runProgram<R extends tf.Rank>(program: Program): tf.Tensor<R> {
  const { name, inputs, shape, integers = {}, floats = {}, workgroupSize, workgroups, code } = program;
  const size = tf.util.sizeFromShape(shape);
  const [threads] = workgroupSize;
  const flat = Object.values(inputs).map((tensor) => ({ ...infoOf(tensor), shape: [tensor.size] }));
  const fields = [
    ...Object.entries(integers).map(([field, value]) => ({
      field,
      wgsl: 'i32',
      type: 'int32' as const,
      data: [value],
    })),
    ...Object.entries(floats).map(([field, value]) => {
      const data = [value].flat();
      return { field, wgsl: data.length === 1 ? 'f32' : `vec${data.length}<f32>`, type: 'float32' as const, data };
    }),
  ];
  const { dataId, dtype } = webgpuBackend().runWebGPUProgram(
    Object.assign(keyOf(name, workgroups === undefined), {
      // The pipeline's label.
      constructor: { name },
      variableNames: Object.keys(inputs),
      outputShape: [size],
      workgroupSize,
      dispatchLayout: workgroups ? { x: [0], y: [0], z: [0] } : { x: [0] },
      dispatch: workgroups ?? [Math.ceil(size / threads), 1, 1],
      size: true,
      uniforms: fields.map(({ field, wgsl }) => `${field} : ${wgsl},`).join(' '),
      getUserCode: () => code,
    }),
    flat,
    'float32',
    fields.map(({ type, data }) => ({ type, data })),
  );
  return tf.engine().makeTensorFromTensorInfo({ dataId, dtype, shape }) as tf.Tensor<R>;
}

/**
 * The key under which TensorFlow.js keeps the compiled kernel. It would add which sizes happen to be equal, or 1, on which our code does not depend;
 * how a thread finds its element's index depends on whether the dispatch has one dimension.
 */
const keyOf = (name: string, usesIndex: boolean) => ({
  dispatch: [] as number[],
  get shaderKey() {
    return `fourfold_${name}${usesIndex && this.dispatch[1] > 1 ? '_folded' : ''}`;
  },
  set shaderKey(_) {
    // TensorFlow.js's own is not wanted.
  },
});

const infoOf = ({ dataId, dtype }: tf.Tensor) => ({ dataId, dtype });
