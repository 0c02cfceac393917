import {
  AvgPool,
  AvgPool3D,
  AvgPool3DGrad,
  AvgPoolGrad,
  backend_util,
  MaxPool,
  MaxPool3D,
  MaxPool3DGrad,
  MaxPoolGrad,
  type AvgPool3DAttrs,
  type AvgPool3DGradInputs,
  type AvgPoolAttrs,
  type AvgPoolGradInputs,
  type AvgPoolInputs,
  type MaxPool3DGradInputs,
  type MaxPoolGradInputs,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { aten, atenTuple, scalarType } from '../aten.js';
import { define } from '../kernel.js';
import type { Handle } from '../native.js';
import { channelsBack, channelsFirst, cropSpatial, emptyLike, padSpatial, type Padding } from './layout.js';

/** A pool's sizes as libtorch wants them, two or three spatial axes. */
interface Pool {
  rank: 4 | 5;
  size: number[];
  strides: number[];
  padding: Padding;
  /** Input's spatial sizes. */
  inputSizes: number[];
}

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
  return {
    rank: 4,
    size: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    padding: [
      [top, bottom],
      [left, right],
    ],
    inputSizes: [info.inHeight, info.inWidth],
  };
}

function pool3d(shape: number[], { filterSize, strides, pad, dimRoundingMode }: Omit<AvgPool3DAttrs, 'dataFormat'>): Pool {
  const info = backend_util.computePool3DInfo(
    shape as [number, number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const { front, back, top, bottom, left, right } = info.padInfo;
  return {
    rank: 5,
    size: [info.filterDepth, info.filterHeight, info.filterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    padding: [
      [front, back],
      [top, bottom],
      [left, right],
    ],
    inputSizes: [info.inDepth, info.inHeight, info.inWidth],
  };
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

/** Sums over the windows by how many of their elements are the picture's: TensorFlow's mean leaves the padding out. */
function average(x: Handle, pool: Pool): Handle {
  const sums = windowSums(padded(x, pool, 0), pool);
  return back(aten['div.Tensor'](sums, windowCounts(x, pool)), pool);
}

/** Sum over each window. */
const windowSums = (x: Handle, pool: Pool): Handle =>
  aten[pool.rank === 4 ? 'avg_pool2d' : 'avg_pool3d'](x, pool.size, pool.strides, none(pool), false, true, 1);

/** How many elements of each window are the picture's, as floats. */
function windowCounts(like: Handle, pool: Pool): Handle {
  const ones = aten.new_ones(like, [1, 1, ...pool.inputSizes], scalarType.float32);
  return windowSums(padSpatial(ones, pool.padding, 0), pool);
}

function averageGradient(dy: Handle, inputShape: number[], pool: Pool): Handle {
  const shares = aten['div.Tensor'](channelsFirst(dy, pool.rank, pool.rank === 4 ? 'NHWC' : 'NDHWC'), windowCounts(dy, pool));
  const sizes = pool.inputSizes.map((size, i) => size + pool.padding[i][0] + pool.padding[i][1]);
  const shape = [inputShape[0], inputShape[inputShape.length - 1], ...sizes];
  const name = pool.rank === 4 ? 'avg_pool2d_backward' : 'avg_pool3d_backward';
  const dx = aten[name](shares, emptyLike(dy, shape), pool.size, pool.strides, none(pool), false, true, 1);
  return unpadded(dx, pool);
}

export function definePooling(): void {
  define<AvgPoolInputs, AvgPoolAttrs>(MaxPool, ({ x }, attributes, { infos }) => {
    const pool = pool2d(infos.x.shape, attributes);
    return back(withIndices(padded(x, pool, -Infinity), pool)[0], pool);
  }, 'stored');
  define<AvgPoolInputs, AvgPool3DAttrs>(MaxPool3D, ({ x }, attributes, { infos }) => {
    const pool = pool3d(infos.x.shape, attributes);
    return back(withIndices(padded(x, pool, -Infinity), pool)[0], pool);
  });
  define<MaxPoolGradInputs, Attributes2d>(MaxPoolGrad, ({ dy, input }, attributes, { infos }) => {
    const pool = pool2d(infos.input.shape, attributes);
    const x = padded(input, pool, -Infinity);
    return unpadded(maxGradient(dy, x, withIndices(x, pool)[1], pool), pool);
  });
  define<MaxPool3DGradInputs, AvgPool3DAttrs>(MaxPool3DGrad, ({ dy, input }, attributes, { infos }) => {
    const pool = pool3d(infos.input.shape, attributes);
    const x = padded(input, pool, -Infinity);
    return unpadded(maxGradient(dy, x, withIndices(x, pool)[1], pool), pool);
  });
  define<AvgPoolInputs, AvgPoolAttrs>(AvgPool, ({ x }, attributes, { infos }) => average(x, pool2d(infos.x.shape, attributes)));
  define<AvgPoolInputs, AvgPool3DAttrs>(AvgPool3D, ({ x }, attributes, { infos }) => average(x, pool3d(infos.x.shape, attributes)));
  define<AvgPoolGradInputs, Attributes2d>(AvgPoolGrad, ({ dy }, attributes, { infos }) =>
    averageGradient(dy, infos.input.shape, pool2d(infos.input.shape, attributes)),
  );
  define<AvgPool3DGradInputs, AvgPool3DAttrs>(AvgPool3DGrad, ({ dy }, attributes, { infos }) =>
    averageGradient(dy, infos.input.shape, pool3d(infos.input.shape, attributes)),
  );

  /*
   * Beyond TensorFlow.js: maxima of 2 x 2 blocks with what their gradient needs. MaxPoolIndexed {x}: [y, indices];
   * MaxPoolIndexedGrad {dy, indices} with x's shape.
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
    ({ dy, indices }, { inputShape }) => {
      const pool = pool2d(inputShape, blocks);
      const [batch, height, width, channels] = inputShape;
      const shapeOnly = emptyLike(dy, [batch, channels, height, width]);
      return back(maxGradient(dy, shapeOnly, channelsFirst(indices, 4), pool), pool);
    },
    'stored',
  );
}

const blocks: Attributes2d = { filterSize: 2, strides: 2, pad: 'valid' };
