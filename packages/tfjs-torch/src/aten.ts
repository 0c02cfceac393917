import type { DataType } from '@tensorflow/tfjs-core';
import { loadNative, withMemory, type Argument, type Handle } from './native.js';

/**
 * ATen's operators by name: `aten.relu(x)`, `aten['add.Tensor'](a, b)`. Arguments are those of the operator's schema, in
 * its order; omitted ones take their defaults. The result is temporary: it is freed when the kernel that created it
 * returns, unless the kernel returns it.
 */
export const aten = operators<Handle>();

/** The same for operators that return several tensors. */
export const atenTuple = operators<Handle[]>();

/** Numbers of c10::ScalarType. */
export const scalarType = {
  uint8: 0,
  int32: 3,
  int64: 4,
  float32: 6,
  float64: 7,
  complex64: 9,
  bool: 11,
  bfloat16: 15,
} as const;

/** libtorch's scalar type for a dtype of TensorFlow.js. */
export const scalarTypeOf: Record<Exclude<DataType, 'string'>, number> & Record<string, number> = {
  float32: scalarType.float32,
  int32: scalarType.int32,
  bool: scalarType.bool,
  complex64: scalarType.complex64,
};

function operators<Result>(): Record<string, (...args: Argument[]) => Result> {
  return new Proxy<Record<string, (...args: Argument[]) => Result>>(
    {},
    {
      get(found, name: string) {
        if (name in found) return found[name];
        const native = loadNative();
        const [base, overload = ''] = name.split('.');
        const operator = native.find(base.includes('::') ? base : `aten::${base}`, overload);
        return (found[name] = (...args) => withMemory(name, () => native.call(operator, ...args) as Result));
      },
    },
  );
}
