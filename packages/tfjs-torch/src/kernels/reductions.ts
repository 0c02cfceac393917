import tf = require('@tensorflow/tfjs-core');
import type { ArgMaxAttrs, CumsumAttrs, MaxAttrs, SumAttrs, TensorInfo, UnaryInputs } from '@tensorflow/tfjs-core';
import { aten, scalarType } from '../aten.js';
import { define } from '../kernel.js';
import { loadNative, type Handle } from '../native.js';

const { All, Any, ArgMax, ArgMin, Cumprod, Cumsum, Max, Mean, Min, Prod, Sum, util } = tf;

type Reduce = (x: Handle, axes: number[], keepDims: boolean, info: TensorInfo) => Handle;

/** Register a kernel that reduces axes. An empty list of axes is a copy, but libtorch would reduce all of them. */
function defineReduction(kernel: string, reduce: Reduce, form: 'full' | 'stored' = 'full'): void {
  define<UnaryInputs, SumAttrs & Partial<MaxAttrs>>(
    kernel,
    ({ x }, { axis, reductionIndices, keepDims }, { infos }) => {
      // Only the maximum has its axes under another name.
      const axes = util.parseAxisParam(reductionIndices ?? axis, infos.x.shape);
      return axes.length === 0 && infos.x.shape.length > 0
        ? aten.clone(x)
        : reduce(x, axes, keepDims ?? false, infos.x);
    },
    form,
  );
}

/** Reduce axis after axis, for operators that take one. */
const oneByOne =
  (operator: string): Reduce =>
  (x, axes, keepDims) =>
    axes
      .toSorted((a, b) => b - a)
      .reduce((result, axis) => aten[operator](result, axis, keepDims), axes.length ? x : aten.clone(x));

/** Running products or sums along an axis. */
function defineCumulative(kernel: string, operator: string, neutral: number): void {
  define<UnaryInputs, CumsumAttrs>(kernel, ({ x }, { axis, exclusive, reverse }, { infos }) => {
    const turn = (values: Handle) => (reverse ? aten.flip(values, [axis]) : values);
    const running = aten[operator](turn(x), axis, loadNative().scalarType(x));
    if (!exclusive) return turn(running);
    // Shift everything by one.
    const rank = infos.x.shape.length;
    const pads = Array.from({ length: 2 * (rank - axis) }, (_, i) => (i === 2 * (rank - axis) - 2 ? 1 : 0));
    const moved = aten.constant_pad_nd(aten.narrow(running, axis, 0, infos.x.shape[axis] - 1), pads, neutral);
    return turn(moved);
  });
}

export function defineReductions(): void {
  // bfloat16 is summed in float32, without a float32 copy of the input.
  defineReduction(
    Sum,
    (x, axes, keepDims, { dtype }) =>
      aten['sum.dim_IntList'](x, axes, keepDims, dtype === 'float32' ? scalarType.float32 : undefined),
    'stored',
  );
  defineReduction(Mean, (x, axes, keepDims) =>
    aten['mean.dim'](aten['to.dtype'](x, scalarType.float32), axes, keepDims),
  );
  defineReduction(Max, (x, axes, keepDims) => aten.amax(x, axes, keepDims));
  defineReduction(Min, (x, axes, keepDims) => aten.amin(x, axes, keepDims));
  defineReduction(Prod, oneByOne('prod.dim_int'));
  defineReduction(All, oneByOne('all.dim'));
  defineReduction(Any, oneByOne('any.dim'));
  // In libtorch NaN is both maximum and minimum, in TensorFlow.js neither; and libtorch does not compare booleans.
  const comparable = (x: Handle, { dtype }: TensorInfo, nan: number) =>
    dtype === 'bool' ? aten['to.dtype'](x, scalarType.int32) : aten.nan_to_num(x, nan, Infinity, -Infinity);
  define<UnaryInputs, ArgMaxAttrs>(ArgMax, ({ x }, { axis }, { infos }) =>
    aten.argmax(comparable(x, infos.x, -Infinity), axis, false),
  );
  define<UnaryInputs, ArgMaxAttrs>(ArgMin, ({ x }, { axis }, { infos }) =>
    aten.argmin(comparable(x, infos.x, Infinity), axis, false),
  );
  defineCumulative(Cumsum, 'cumsum', 0);
  defineCumulative(Cumprod, 'cumprod', 1);
}
