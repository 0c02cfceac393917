import {
  Fill,
  LinSpace,
  OnesLike,
  Range,
  util,
  ZerosLike,
  type FillAttrs,
  type LinSpaceAttrs,
  type RangeAttrs,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { aten, scalarTypeOf } from '../aten.js';
import type { TorchBackend } from '../backend.js';
import { define, defineRaw } from '../kernel.js';

export function defineCreation(): void {
  defineRaw(Fill, ({ attrs, backend }) => {
    const { shape, value, dtype } = attrs as unknown as FillAttrs;
    const torch = backend as TorchBackend;
    const type = dtype ?? util.inferDtype(value);
    if (type === 'string') {
      const size = util.sizeFromShape(shape);
      return torch.make(Array.from({ length: size }, () => value) as never, shape, type);
    }
    return torch.outputOf(() => aten.full(shape, value as number, scalarTypeOf[type], undefined, torch.device));
  });
  defineLike(ZerosLike, 0);
  defineLike(OnesLike, 1);
  define<object, RangeAttrs>(Range, (_, { start, stop, step, dtype }, { backend }) => {
    const length = Math.max(0, Math.ceil((stop - start) / step));
    if (start !== stop && length === 0) throw new Error(`a range from ${start} to ${stop} is empty with a step of ${step}`);
    const type = scalarTypeOf[dtype ?? 'float32'];
    const indices = aten.arange(length, type, undefined, backend.device);
    return aten['add.Scalar'](aten['mul.Scalar'](indices, step), start);
  });
  define<object, LinSpaceAttrs>(LinSpace, (_, { start, stop, num }, { backend }) =>
    aten.linspace(start, stop, num, scalarTypeOf.float32, undefined, backend.device),
  );
}

/** A tensor of one value in another's shape; strings are their own 0. */
function defineLike(kernel: string, value: 0 | 1): void {
  defineRaw(kernel, ({ inputs, backend }) => {
    const torch = backend as TorchBackend;
    const x = inputs.x as TensorInfo;
    if (x.dtype === 'string') {
      if (value === 1) throw new Error('onesLike is not supported for strings');
      return torch.make(Array.from({ length: util.sizeFromShape(x.shape) }, () => '') as never, x.shape, 'string');
    }
    return torch.outputOf(() => aten.full(x.shape, value, scalarTypeOf[x.dtype], undefined, torch.device));
  });
}

