import tf = require('@tensorflow/tfjs-core');
import type { Conv2DAttrs } from '@tensorflow/tfjs-core';
import { aten, atenTuple, scalarType } from '../aten.js';
import { torchBackend } from '../backend.js';
import type { Handle } from '../native.js';
import { convolveByColumns, isNarrow } from './narrow-convolution.js';
import { hasFusedRelu, inPrecision } from './onednn.js';
import { channelsBack, channelsFirst, cropSpatial, emptyLike, padSpatial, symmetric } from './layout.js';
import type { Geometry } from './geometry.js';

const { backend_util } = tf;

type Shape4 = [number, number, number, number];

/** The geometry of a convolution of pictures; `depthwise` filters are [height, width, input, multiplier]. */
export function geometry2d(
  inputShape: number[],
  filterShape: number[],
  { strides, pad, dataFormat, dilations, dimRoundingMode }: Omit<Conv2DAttrs, 'dilations'> & { dilations?: unknown },
  depthwise = false,
): Geometry {
  const format = dataFormat ?? 'NHWC';
  const {
    padInfo,
    batchSize,
    inChannels,
    inHeight,
    inWidth,
    outHeight,
    outWidth,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
  } = backend_util.computeConv2DInfo(
    inputShape as Shape4,
    filterShape as Shape4,
    strides,
    (dilations ?? 1) as number,
    pad,
    dimRoundingMode,
    depthwise,
    format === 'NHWC' ? 'channelsLast' : 'channelsFirst',
  );
  return {
    rank: 4,
    dataFormat: format,
    strides: [strideHeight, strideWidth],
    dilations: [dilationHeight, dilationWidth],
    padding: [
      [padInfo.top, padInfo.bottom],
      [padInfo.left, padInfo.right],
    ],
    groups: depthwise ? inChannels : inChannels / filterShape[2],
    inputShape: [batchSize, inChannels, inHeight, inWidth],
    outputSizes: [outHeight, outWidth],
  };
}

/** The input with channels first, padded here if the padding is asymmetric, and the remaining padding. */
function prepared(x: Handle, { rank, dataFormat, padding }: Geometry): { x: Handle; padding: number[] } {
  const first = channelsFirst(x, rank, dataFormat);
  const same = symmetric(padding);
  return same ? { x: first, padding: same } : { x: padSpatial(first, padding, 0), padding: padding.map(() => 0) };
}

/** Convolve; `filter` is [output, input / groups, ...]. `relu`: apply it too, in one kernel if possible. */
export const convolve = (
  x: Handle,
  filter: Handle,
  bias: Handle | undefined,
  geometry: Geometry,
  relu = false,
): Handle => inPrecision([x, filter, bias], (...operands) => convolveAs(operands, geometry, relu));

type Operands = [x: Handle, filter: Handle, bias: Handle | undefined];

function convolveAs([x, filter, bias]: Operands, geometry: Geometry, relu: boolean): Handle {
  const { x: input, padding } = prepared(x, geometry);
  const { strides, dilations, groups, rank, dataFormat } = geometry;
  const noPadding = strides.map(() => 0);
  if (isNarrow(filter, geometry)) {
    const y = convolveByColumns(input, filter, bias, padding);
    return relu ? aten.relu_(y) : y;
  }
  const fused = relu && rank === 4 && torchBackend().device === 'cpu' && hasFusedRelu();
  const y = fused
    ? aten['mkldnn::_convolution_pointwise'](input, filter, bias, padding, strides, dilations, groups, 'relu', [], '')
    : aten.convolution(input, filter, bias, strides, padding, dilations, false, noPadding, groups);
  return channelsBack(relu && !fused ? aten.relu_(y) : y, rank, dataFormat);
}

/** Gradient with respect to the input, in TensorFlow.js's data format. */
export const inputGradient = (dy: Handle, filter: Handle, geometry: Geometry): Handle =>
  inPrecision([dy, filter], (...operands) => inputGradientAs(operands, geometry));

function inputGradientAs([dy, filter]: [Handle, Handle], geometry: Geometry): Handle {
  const { rank, dataFormat, padding, inputShape, strides, dilations, groups } = geometry;
  const same = symmetric(padding);
  const sizes = inputShape.slice(2);
  const padded = same ? sizes : sizes.map((size, i) => size + padding[i][0] + padding[i][1]);
  const shapeOnly = emptyLike(dy, [inputShape[0], inputShape[1], ...padded]);
  const [dx] = atenTuple.convolution_backward(
    channelsFirst(dy, rank, dataFormat),
    shapeOnly,
    filter,
    undefined,
    strides,
    same ?? padding.map(() => 0),
    dilations,
    false,
    strides.map(() => 0),
    groups,
    [true, false, false],
  );
  return channelsBack(same ? dx : cropSpatial(dx, padding, sizes), rank, dataFormat);
}

/** Gradient with respect to the filter, [output, input / groups, ...], in float32. */
export function filterGradient(x: Handle, dy: Handle, filterShape: number[], geometry: Geometry): Handle {
  const gradient = inPrecision([x, dy], (...operands) => filterGradientAs(operands, filterShape, geometry));
  return aten['to.dtype'](gradient, scalarType.float32);
}

function filterGradientAs([x, dy]: [Handle, Handle], filterShape: number[], geometry: Geometry): Handle {
  const { x: input, padding } = prepared(x, geometry);
  const { rank, dataFormat, strides, dilations, groups } = geometry;
  const [, gradient] = atenTuple.convolution_backward(
    channelsFirst(dy, rank, dataFormat),
    input,
    emptyLike(dy, filterShape),
    undefined,
    strides,
    padding,
    dilations,
    false,
    strides.map(() => 0),
    groups,
    [false, true, false],
  );
  return gradient;
}
