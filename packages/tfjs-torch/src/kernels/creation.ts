import tf = require('@tensorflow/tfjs-core');
import type { FillAttrs, LinSpaceAttrs, RangeAttrs, TensorInfo } from '@tensorflow/tfjs-core';
import { aten, scalarType, scalarTypeOf } from '../aten.js';
import type { TorchBackend } from '../backend.js';
import { define, defineRaw } from '../kernel.js';

const { Fill, LinSpace, OnesLike, Range, util, ZerosLike } = tf;

export function defineCreation(): void {
  defineRaw(Fill, ({ attrs, backend }) => {
    const { shape, value, dtype } = attrs as unknown as FillAttrs;
    const torch = backend as TorchBackend;
    const type = dtype ?? util.inferDtype(value);
    if (type === 'string') {
      return makeStrings(torch, value as string, shape);
    }
    return torch.outputOf(() => aten.full(shape, value, scalarTypeOf[type], undefined, torch.device));
  });
  defineLike(ZerosLike, 0);
  defineLike(OnesLike, 1);
  define<object, RangeAttrs>(Range, (_, { start, stop, step, dtype }, { backend }) => {
    // A step of 1 means -1 for a descending range.
    const towards = step === 1 && stop < start ? -1 : step;
    const length = Math.max(0, Math.ceil((stop - start) / towards));
    const indices = aten.arange(length, scalarType.float64, undefined, backend.device);
    const values = aten['add.Scalar'](aten['mul.Scalar'](indices, towards), start);
    return aten['to.dtype'](values, scalarTypeOf[dtype ?? 'float32']);
  });
  define<object, LinSpaceAttrs>(LinSpace, (_, { start, stop, num }, { backend }) =>
    aten.linspace(start, stop, num, scalarTypeOf.float32, undefined, backend.device),
  );
}

/** A tensor of one value in another's shape; for strings 0 is the empty string. */
function defineLike(kernel: string, value: 0 | 1): void {
  defineRaw(kernel, ({ inputs, backend }) => {
    const torch = backend as TorchBackend;
    const x = inputs.x as TensorInfo;
    if (x.dtype === 'string') {
      if (value === 1) throw new Error('onesLike is not supported for strings');
      return makeStrings(torch, '', x.shape);
    }
    return torch.outputOf(() => aten.full(x.shape, value, scalarTypeOf[x.dtype], undefined, torch.device));
  });
}

/** A tensor of one string. */
function makeStrings(torch: TorchBackend, value: string, shape: number[]): TensorInfo {
  const bytes = util.encodeString(value);
  return torch.make(
    Array.from({ length: util.sizeFromShape(shape) }, () => bytes),
    shape,
    'string',
  );
}
