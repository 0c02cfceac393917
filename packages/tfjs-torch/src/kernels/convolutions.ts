import {
  backend_util,
  Conv2D,
  Conv2DBackpropFilter,
  Conv2DBackpropInput,
  Conv3D,
  Conv3DBackpropFilterV2,
  Conv3DBackpropInputV2,
  DepthwiseConv2dNative,
  DepthwiseConv2dNativeBackpropFilter,
  DepthwiseConv2dNativeBackpropInput,
  FusedConv2D,
  FusedDepthwiseConv2D,
  type Conv2DAttrs,
  type Conv2DBackpropFilterAttrs,
  type Conv2DBackpropFilterInputs,
  type Conv2DBackpropInputAttrs,
  type Conv2DBackpropInputInputs,
  type Conv2DInputs,
  type Conv3DAttrs,
  type Conv3DBackpropFilterV2Attrs,
  type Conv3DBackpropFilterV2Inputs,
  type Conv3DBackpropInputV2Attrs,
  type Conv3DBackpropInputV2Inputs,
  type Conv3DInputs,
  type DepthwiseConv2dNativeAttrs,
  type DepthwiseConv2dNativeBackpropFilterAttrs,
  type DepthwiseConv2dNativeBackpropFilterInputs,
  type DepthwiseConv2dNativeBackpropInputAttrs,
  type DepthwiseConv2dNativeBackpropInputInputs,
  type DepthwiseConv2dNativeInputs,
  type FusedConv2DAttrs,
  type FusedConv2DInputs,
  type FusedDepthwiseConv2DAttrs,
  type FusedDepthwiseConv2DInputs,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { aten, atenTuple, scalarType } from '../aten.js';
import { torchBackend } from '../backend.js';
import { define } from '../kernel.js';
import type { Handle } from '../native.js';
import { activate } from './activate.js';
import { channelsBack, channelsFirst, cropSpatial, emptyLike, padSpatial, symmetric, type Padding } from './layout.js';

/** A convolution's sizes as libtorch wants them, two or three spatial axes. */
interface Geometry {
  rank: 4 | 5;
  dataFormat: string;
  strides: number[];
  dilations: number[];
  padding: Padding;
  groups: number;
  /** Input's shape with channels first. */
  inputShape: number[];
  outputSizes: number[];
}

type Shape4 = [number, number, number, number];
type Shape5 = [number, number, number, number, number];

/** `depthwise` filters are [height, width, input, multiplier]. */
function geometry2d(
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

function geometry3d(
  inputShape: number[],
  filterShape: number[],
  strides: unknown,
  pad: 'valid' | 'same',
  dilations?: unknown,
): Geometry {
  const info = backend_util.computeConv3DInfo(
    inputShape as Shape5,
    filterShape as Shape5,
    strides as number,
    (dilations ?? 1) as number,
    pad,
  );
  const { padInfo } = info;
  return {
    rank: 5,
    dataFormat: 'NDHWC',
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    dilations: [info.dilationDepth, info.dilationHeight, info.dilationWidth],
    padding: [
      [padInfo.front, padInfo.back],
      [padInfo.top, padInfo.bottom],
      [padInfo.left, padInfo.right],
    ],
    groups: 1,
    inputShape: [info.batchSize, info.inChannels, info.inDepth, info.inHeight, info.inWidth],
    outputSizes: [info.outDepth, info.outHeight, info.outWidth],
  };
}

/** The input with channels first, padded where the padding differs between the sides, and what padding is left. */
function prepared(x: Handle, { rank, dataFormat, padding }: Geometry): { x: Handle; padding: number[] } {
  const first = channelsFirst(x, rank, dataFormat);
  const same = symmetric(padding);
  return same ? { x: first, padding: same } : { x: padSpatial(first, padding, 0), padding: padding.map(() => 0) };
}

/** `filter` is [output, input / groups, ...]. `relu`: one kernel for all where there is one. */
function convolve(x: Handle, filter: Handle, bias: Handle | undefined, geometry: Geometry, relu = false): Handle {
  const { x: input, padding } = prepared(x, geometry);
  const { strides, dilations, groups, rank, dataFormat } = geometry;
  const noPadding = strides.map(() => 0);
  const fused = relu && rank === 4 && torchBackend().device === 'cpu' && hasFusedRelu();
  const y = fused
    ? aten['mkldnn::_convolution_pointwise'](input, filter, bias, padding, strides, dilations, groups, 'relu', [], '')
    : aten.convolution(input, filter, bias, strides, padding, dilations, false, noPadding, groups);
  return channelsBack(relu && !fused ? aten.relu_(y) : y, rank, dataFormat);
}

let fusedRelu: boolean | undefined;

/** Whether libtorch has oneDNN's convolution with a ReLU at its end: builds for other processors do not. */
function hasFusedRelu(): boolean {
  if (fusedRelu === undefined) {
    try {
      fusedRelu = typeof aten['mkldnn::_convolution_pointwise'] === 'function';
    } catch {
      fusedRelu = false;
    }
  }
  return fusedRelu;
}

/** Gradient by the input, with channels where TensorFlow.js has them. */
function inputGradient(dy: Handle, filter: Handle, geometry: Geometry): Handle {
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

/** A transposed convolution may be given more than the convolution's outputs: TensorFlow.js leaves the rest unread. */
function outputsOf(dy: Handle, shape: number[], { dataFormat, outputSizes }: Geometry): Handle {
  const first = dataFormat === 'NHWC' ? 1 : 2;
  return outputSizes.reduce(
    (cut, size, i) => (size < shape[first + i] ? aten.narrow(cut, first + i, 0, size) : cut),
    dy,
  );
}

/** Gradient by the filter, [output, input / groups, ...], in float32. */
function filterGradient(x: Handle, dy: Handle, filterShape: number[], geometry: Geometry): Handle {
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
  return aten['to.dtype'](gradient, scalarType.float32);
}

/** [height, width, input, output] to [output, input, height, width]. */
const filterAxes = [3, 2, 0, 1];
const filterBack = [2, 3, 1, 0];
const volumeAxes = [4, 3, 0, 1, 2];
const volumeBack = [2, 3, 4, 1, 0];

/** Depthwise [height, width, input, multiplier] to [input * multiplier, 1, height, width]. */
const depthwiseFilter = (filter: Handle, [height, width, inputs, multiplier]: number[]): Handle =>
  aten.reshape(aten.permute(filter, [2, 3, 0, 1]), [inputs * multiplier, 1, height, width]);

const depthwiseBack = (gradient: Handle, [height, width, inputs, multiplier]: number[]): Handle =>
  aten.permute(aten.reshape(gradient, [inputs, multiplier, height, width]), [2, 3, 0, 1]);

const filterOf = (info: TensorInfo): Handle => torchBackend().filterHandleOf(info);

/** Whether a bias is one number a channel, which convolutions take; any other that broadcasts is added. */
const isVector = (bias: TensorInfo | undefined, channels: number): boolean =>
  bias === undefined || (bias.shape.length === 1 && bias.shape[0] === channels);

/** Slopes of PReLU: a vector of them is the channels', wherever those are. */
function slopesOf(slopes: Handle, info: TensorInfo | undefined, dataFormat: string): Handle {
  const isChannels = dataFormat === 'NCHW' && info?.shape.length === 1 && info.shape[0] !== 1;
  return isChannels ? aten.reshape(slopes, [-1, 1, 1]) : slopes;
}

export function defineConvolutions(): void {
  define<Conv2DInputs, Conv2DAttrs>(
    Conv2D,
    ({ x }, attributes, { infos }) =>
      convolve(x, filterOf(infos.filter), undefined, geometry2d(infos.x.shape, infos.filter.shape, attributes)),
    'compute',
  );
  define<FusedConv2DInputs, FusedConv2DAttrs>(
    FusedConv2D,
    ({ x, bias, preluActivationWeights }, attributes, { infos }) => {
      const geometry = geometry2d(infos.x.shape, infos.filter.shape, attributes);
      const vector = isVector(infos.bias, infos.filter.shape[3]);
      const relu = attributes.activation === 'relu' && vector;
      const y = convolve(x, filterOf(infos.filter), vector ? bias : undefined, geometry, relu);
      const sum = vector ? y : aten['add.Tensor'](y, bias);
      const slopes = slopesOf(preluActivationWeights, infos.preluActivationWeights, geometry.dataFormat);
      return relu ? sum : activate(sum, attributes, slopes);
    },
    'compute',
  );
  define<Conv2DBackpropInputInputs, Conv2DBackpropInputAttrs>(
    Conv2DBackpropInput,
    ({ dy }, attributes, { infos }) => {
      const geometry = geometry2d(attributes.inputShape, infos.filter.shape, attributes);
      return inputGradient(outputsOf(dy, infos.dy.shape, geometry), filterOf(infos.filter), geometry);
    },
    'compute',
  );
  define<Conv2DBackpropFilterInputs, Conv2DBackpropFilterAttrs>(
    Conv2DBackpropFilter,
    ({ x, dy }, attributes, { infos }) => {
      const geometry = geometry2d(infos.x.shape, attributes.filterShape, attributes);
      const shape = filterAxes.map((axis) => attributes.filterShape[axis]);
      return aten.permute(filterGradient(x, dy, shape, geometry), filterBack);
    },
    'compute',
  );
  defineDepthwise();
  defineVolumes();
}

function defineDepthwise(): void {
  define<DepthwiseConv2dNativeInputs, DepthwiseConv2dNativeAttrs>(
    DepthwiseConv2dNative,
    ({ x, filter }, attributes, { infos }) =>
      convolve(
        x,
        depthwiseFilter(filter, infos.filter.shape),
        undefined,
        geometry2d(infos.x.shape, infos.filter.shape, attributes, true),
      ),
  );
  define<FusedDepthwiseConv2DInputs, FusedDepthwiseConv2DAttrs>(
    FusedDepthwiseConv2D,
    ({ x, filter, bias, preluActivationWeights }, attributes, { infos }) => {
      const geometry = geometry2d(infos.x.shape, infos.filter.shape, attributes, true);
      const y = convolve(x, depthwiseFilter(filter, infos.filter.shape), undefined, geometry);
      return activate(bias ? aten['add.Tensor'](y, bias) : y, attributes, preluActivationWeights);
    },
  );
  define<DepthwiseConv2dNativeBackpropInputInputs, DepthwiseConv2dNativeBackpropInputAttrs>(
    DepthwiseConv2dNativeBackpropInput,
    ({ dy, filter }, attributes, { infos }) =>
      inputGradient(
        dy,
        depthwiseFilter(filter, infos.filter.shape),
        geometry2d(attributes.inputShape, infos.filter.shape, { ...attributes, dataFormat: 'NHWC' }, true),
      ),
  );
  define<DepthwiseConv2dNativeBackpropFilterInputs, DepthwiseConv2dNativeBackpropFilterAttrs>(
    DepthwiseConv2dNativeBackpropFilter,
    ({ x, dy }, attributes, { infos }) => {
      const { filterShape } = attributes;
      const geometry = geometry2d(infos.x.shape, filterShape, { ...attributes, dataFormat: 'NHWC' }, true);
      const [height, width, inputs, multiplier] = filterShape;
      return depthwiseBack(filterGradient(x, dy, [inputs * multiplier, 1, height, width], geometry), filterShape);
    },
  );
}

function defineVolumes(): void {
  define<Conv3DInputs, Conv3DAttrs>(Conv3D, ({ x, filter }, { strides, pad, dilations }, { infos }) =>
    convolve(
      x,
      aten.permute(filter, volumeAxes),
      undefined,
      geometry3d(infos.x.shape, infos.filter.shape, strides, pad, dilations),
    ),
  );
  define<Conv3DBackpropInputV2Inputs, Conv3DBackpropInputV2Attrs>(
    Conv3DBackpropInputV2,
    ({ dy, filter }, { strides, pad, inputShape }, { infos }) =>
      inputGradient(dy, aten.permute(filter, volumeAxes), geometry3d(inputShape, infos.filter.shape, strides, pad)),
  );
  define<Conv3DBackpropFilterV2Inputs, Conv3DBackpropFilterV2Attrs>(
    Conv3DBackpropFilterV2,
    ({ x, dy }, { strides, pad, filterShape }, { infos }) => {
      const geometry = geometry3d(infos.x.shape, filterShape, strides, pad);
      const shape = volumeAxes.map((axis) => filterShape[axis]);
      return aten.permute(filterGradient(x, dy, shape, geometry), volumeBack);
    },
  );
}
