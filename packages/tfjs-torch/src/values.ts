import type { BackendValues, DataType } from '@tensorflow/tfjs-core';
import { scalarType } from './aten.js';

/** dtype of TensorFlow.js by libtorch's scalar type. In TensorFlow.js bfloat16 is float32, and libtorch's indices are int32. */
export const dtypes: Record<number, DataType> = {
  [scalarType.int32]: 'int32',
  [scalarType.int64]: 'int32',
  [scalarType.float32]: 'float32',
  [scalarType.bfloat16]: 'float32',
  [scalarType.bool]: 'bool',
  [scalarType.complex64]: 'complex64',
};

/** libtorch's scalar types that TensorFlow.js does not have, and the types they are converted to. */
export const narrowed: Record<number, number> = {
  [scalarType.uint8]: scalarType.int32,
  [scalarType.float64]: scalarType.float32,
};

/** An array for the values of a tensor of `size` elements; complex numbers are pairs. */
export function arrayFor(dtype: DataType, size: number): Float32Array | Int32Array | Uint8Array {
  if (dtype === 'int32') return new Int32Array(size);
  if (dtype === 'bool') return new Uint8Array(size);
  return new Float32Array(dtype === 'complex64' ? 2 * size : size);
}

/** Values as a Float32Array, without a copy if they are one. */
export const toFloat32 = (values: BackendValues): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);

/** Values as an Int32Array, without a copy if they are one. */
export const toInt32 = (values: BackendValues): Int32Array =>
  values instanceof Int32Array ? values : Int32Array.from(values as ArrayLike<number>);

/** Truth values as 0 and 1. */
export const toUint8 = (values: BackendValues): Uint8Array =>
  values instanceof Uint8Array ? values : Uint8Array.from(values as ArrayLike<number>, (value) => (value ? 1 : 0));
