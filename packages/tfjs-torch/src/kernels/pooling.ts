import tf = require('@tensorflow/tfjs-core');
import type {
  AvgPool3DAttrs,
  AvgPool3DGradInputs,
  AvgPoolAttrs,
  AvgPoolGradInputs,
  AvgPoolInputs,
  MaxPool3DGradInputs,
  MaxPoolGradInputs,
  TensorInfo,
} from '@tensorflow/tfjs-core';
import { aten, atenTuple, scalarType } from '../aten.js';
import { define } from '../kernel.js';
import type { Handle } from '../native.js';
import { channelsBack, channelsFirst, cropSpatial, emptyLike, padSpatial, type Padding } from './layout.js';

const {
  AvgPool,
  AvgPool3D,
  AvgPool3DGrad,
  AvgPoolGrad,
  backend_util,
  MaxPool,
  MaxPool3D,
  MaxPool3DGrad,
  MaxPoolGrad,
  util,
} = tf;

/** A pool's sizes in libtorch's form, with two or three spatial axes. */
interface Pool {
  rank: 4 | 5;
  size: number[];
  strides: number[];
  padding: Padding;
  /** Spatial sizes. */
  inputSizes: number[];
  outputSizes: number[];
}

/** The padding, extended for windows that reach beyond it: TensorFlow.js may round output sizes up. */
const reaching = (pool: Pool): Pool => ({
  ...pool,
  padding: pool.padding.map(([before, after], i) => {
    const reach = (pool.outputSizes[i] - 1) * pool.strides[i] + pool.size[i];
    return [before, Math.max(after, reach - before - pool.inputSizes[i])];
  }),
});

type Attributes2d = Pick<AvgPoolAttrs, 'filterSize' | 'strides' | 'pad' | 'dimRoundingMode'>;

function pool2d(shape: number[], { filterSize, strides, pad, dimRoundingMode }: Attributes2d): Pool {
  const info = backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const { top, bottom, left, right } = info.padInfo;
  return reaching({
    rank: 4,
    size: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    padding: [
      [top, bottom],
      [left, right],
    ],
    inputSizes: [info.inHeight, info.inWidth],
    outputSizes: [info.outHeight, info.outWidth],
  });
}

function pool3d(
  shape: number[],
  { filterSize, strides, pad, dimRoundingMode }: Omit<AvgPool3DAttrs, 'dataFormat'>,
): Pool {
  const info = backend_util.computePool3DInfo(
    shape as [number, number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const { front, back, top, bottom, left, right } = info.padInfo;
  return reaching({
    rank: 5,
    size: [info.filterDepth, info.filterHeight, info.filterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    padding: [
      [front, back],
      [top, bottom],
      [left, right],
    ],
    inputSizes: [info.inDepth, info.inHeight, info.inWidth],
    outputSizes: [info.outDepth, info.outHeight, info.outWidth],
  });
}

const none = (pool: Pool) => pool.size.map(() => 0);
const once = (pool: Pool) => pool.size.map(() => 1);

/** The input with channels first and padded: libtorch allows less padding than TensorFlow. */
function padded(x: Handle, { rank, padding }: Pool, value: number): Handle {
  const first = channelsFirst(x, rank, rank === 4 ? 'NHWC' : 'NDHWC');
  return padding.every(([before, after]) => before === 0 && after === 0) ? first : padSpatial(first, padding, value);
}

const back = (x: Handle, { rank }: Pool): Handle => channelsBack(x, rank, rank === 4 ? 'NHWC' : 'NDHWC');

const unpadded = (x: Handle, pool: Pool): Handle => back(cropSpatial(x, pool.padding, pool.inputSizes), pool);

const withIndices = (x: Handle, pool: Pool): Handle[] =>
  pool.rank === 4
    ? atenTuple.max_pool2d_with_indices(x, pool.size, pool.strides, none(pool), once(pool), false)
    : atenTuple.max_pool3d_with_indices(x, pool.size, pool.strides, none(pool), once(pool), false);

function maxGradient(dy: Handle, x: Handle, indices: Handle, pool: Pool): Handle {
  const first = channelsFirst(dy, pool.rank, pool.rank === 4 ? 'NHWC' : 'NDHWC');
  const name = pool.rank === 4 ? 'max_pool2d_with_indices_backward' : 'max_pool3d_with_indices_backward';
  return aten[name](first, x, pool.size, pool.strides, none(pool), once(pool), false, indices);
}

/** Maximum of each window, and its index. NaN is never the maximum. */
const maxima = (x: Handle, pool: Pool): Handle[] => withIndices(maximaInput(x, pool), pool);

const maximaInput = (x: Handle, pool: Pool): Handle =>
  padded(aten.nan_to_num(x, -Infinity, Infinity, -Infinity), pool, -Infinity);

function maximaGradient(dy: Handle, x: Handle, pool: Pool): Handle {
  const input = maximaInput(x, pool);
  return unpadded(maxGradient(dy, input, withIndices(input, pool)[1], pool), pool);
}

/** Window sums divided by how many elements are inside the picture: TensorFlow's mean excludes the padding. */
function average(x: Handle, pool: Pool): Handle {
  const sums = windowSums(padded(x, pool, 0), pool);
  return back(aten['div.Tensor'](sums, windowCounts(x, pool)), pool);
}

/** Sum over each window. */
const windowSums = (x: Handle, pool: Pool): Handle =>
  aten[pool.rank === 4 ? 'avg_pool2d' : 'avg_pool3d'](x, pool.size, pool.strides, none(pool), false, true, 1);

/** How many elements of each window are inside the picture, as floats; at least 1. */
function windowCounts(like: Handle, pool: Pool): Handle {
  const ones = aten.new_ones(like, [1, 1, ...pool.inputSizes], scalarType.float32);
  return aten.clamp(windowSums(padSpatial(ones, pool.padding, 0), pool), 1);
}

/** TensorFlow.js's gradient divides by the whole window, including its padding, although the mean excludes the padding. */
function averageGradient(dy: Handle, inputShape: number[], pool: Pool): Handle {
  const sizes = pool.inputSizes.map((size, i) => size + pool.padding[i][0] + pool.padding[i][1]);
  const shape = [inputShape[0], inputShape[inputShape.length - 1], ...sizes];
  const name = pool.rank === 4 ? 'avg_pool2d_backward' : 'avg_pool3d_backward';
  const first = channelsFirst(dy, pool.rank, pool.rank === 4 ? 'NHWC' : 'NDHWC');
  const dx = aten[name](first, emptyLike(dy, shape), pool.size, pool.strides, none(pool), false, true, undefined);
  return unpadded(dx, pool);
}

/** Pool, unless the output is empty or TensorFlow.js treats the pool as the identity whatever its padding. */
function pooled(x: Handle, { shape }: TensorInfo, pool: Pool, run: (x: Handle, pool: Pool) => Handle): Handle {
  if (pool.outputSizes.some((size) => size <= 0)) {
    return aten.new_empty(x, [shape[0], ...pool.outputSizes, shape[shape.length - 1]]);
  }
  const isNothing = pool.size.every((side) => side === 1) && util.arraysEqual(pool.inputSizes, pool.outputSizes);
  return isNothing ? x : run(x, pool);
}

export function definePooling(): void {
  const maximaOnly = (x: Handle, pool: Pool) => back(maxima(x, pool)[0], pool);
  define<AvgPoolInputs, AvgPoolAttrs>(
    MaxPool,
    ({ x }, attributes, { infos }) => pooled(x, infos.x, pool2d(infos.x.shape, attributes), maximaOnly),
    'stored',
  );
  define<AvgPoolInputs, AvgPool3DAttrs>(MaxPool3D, ({ x }, attributes, { infos }) =>
    pooled(x, infos.x, pool3d(infos.x.shape, attributes), maximaOnly),
  );
  define<MaxPoolGradInputs, Attributes2d>(MaxPoolGrad, ({ dy, input }, attributes, { infos }) =>
    maximaGradient(dy, input, pool2d(infos.input.shape, attributes)),
  );
  define<MaxPool3DGradInputs, AvgPool3DAttrs>(MaxPool3DGrad, ({ dy, input }, attributes, { infos }) =>
    maximaGradient(dy, input, pool3d(infos.input.shape, attributes)),
  );
  define<AvgPoolInputs, AvgPoolAttrs>(AvgPool, ({ x }, attributes, { infos }) =>
    pooled(x, infos.x, pool2d(infos.x.shape, attributes), average),
  );
  define<AvgPoolInputs, AvgPool3DAttrs>(AvgPool3D, ({ x }, attributes, { infos }) =>
    pooled(x, infos.x, pool3d(infos.x.shape, attributes), average),
  );
  define<AvgPoolGradInputs, Attributes2d>(AvgPoolGrad, ({ dy }, attributes, { infos }) =>
    averageGradient(dy, infos.input.shape, pool2d(infos.input.shape, attributes)),
  );
  define<AvgPool3DGradInputs, AvgPool3DAttrs>(AvgPool3DGrad, ({ dy }, attributes, { infos }) =>
    averageGradient(dy, infos.input.shape, pool3d(infos.input.shape, attributes)),
  );

  /*
   * Beyond TensorFlow.js: maxima of 2 x 2 blocks with their indices for the gradient. MaxPoolIndexed {x}: [y, indices];
   * MaxPoolIndexedGrad {dy, indices}: dx in x's shape.
   */
  define<{ x: TensorInfo }>(
    'MaxPoolIndexed',
    ({ x }, _, { infos }) => {
      const pool = pool2d(infos.x.shape, blocks);
      return withIndices(padded(x, pool, 0), pool).map((handle) => back(handle, pool));
    },
    'stored',
  );
  define<{ dy: TensorInfo; indices: TensorInfo }, { inputShape: number[] }>(
    'MaxPoolIndexedGrad',
    ({ dy, indices }, { inputShape }, { backend }) => {
      if (backend.device !== 'cpu') return blockGradient(dy, indices, inputShape, backend.device);
      const pool = pool2d(inputShape, blocks);
      const [batch, height, width, channels] = inputShape;
      const shapeOnly = emptyLike(dy, [batch, channels, height, width]);
      return back(maxGradient(dy, shapeOnly, channelsFirst(indices, 4), pool), pool);
    },
    'stored',
  );
}

/**
 * Gradient of maxima of 2 x 2 blocks by comparing indices: libtorch's own sums in any order on CUDA, and refuses to run there
 * in deterministic mode.
 */
function blockGradient(
  dy: Handle,
  indices: Handle,
  [batch, height, width, channels]: number[],
  device: string,
): Handle {
  const [rows, columns] = [Math.floor(height / 2), Math.floor(width / 2)];
  const spread = (x: Handle) =>
    aten.reshape(
      aten.expand(aten.reshape(x, [batch, rows, 1, columns, 1, channels]), [batch, rows, 2, columns, 2, channels]),
      [batch, 2 * rows, 2 * columns, channels],
    );
  const all = aten.reshape(aten.arange(height * width, scalarType.int64, undefined, device), [1, height, width, 1]);
  const places = aten.narrow(aten.narrow(all, 1, 0, 2 * rows), 2, 0, 2 * columns);
  const dx = aten['mul.Tensor'](spread(dy), aten['eq.Tensor'](spread(indices), places));
  // A last odd row or column is not in any block.
  return aten.constant_pad_nd(dx, [0, 0, 0, width - 2 * columns, 0, height - 2 * rows], 0);
}

const blocks: Attributes2d = { filterSize: 2, strides: 2, pad: 'valid' };
