import tf = require('@tensorflow/tfjs-core');
import type {
  Conv2DAttrs,
  Conv2DBackpropFilterAttrs,
  Conv2DBackpropFilterInputs,
  Conv2DBackpropInputAttrs,
  Conv2DBackpropInputInputs,
  Conv2DInputs,
  FusedConv2DAttrs,
  FusedConv2DInputs,
  TensorInfo,
} from '@tensorflow/tfjs-core';
import { aten } from '../aten.js';
import { torchBackend } from '../backend.js';
import { define } from '../kernel.js';
import type { Handle } from '../native.js';
import { activate } from './activate.js';
import { convolve, filterGradient, geometry2d, inputGradient } from './convolve.js';
import type { Geometry } from './geometry.js';

const { Conv2D, Conv2DBackpropFilter, Conv2DBackpropInput, FusedConv2D } = tf;

/** [height, width, input, output] to [output, input, height, width], and back. */
const filterAxes = [3, 2, 0, 1];
const filterBack = [2, 3, 1, 0];

const filterOf = (info: TensorInfo): Handle => torchBackend().filterHandleOf(info);

/** Whether a bias is one number per channel, which convolutions take; any other is added by broadcasting. */
const isVector = (bias: TensorInfo | undefined, channels: number): boolean =>
  bias === undefined || (bias.shape.length === 1 && bias.shape[0] === channels);

/** Slopes of PReLU: a vector has one per channel, in either data format. */
function slopesOf(slopes: Handle, info: TensorInfo | undefined, dataFormat: string): Handle {
  const isChannels = dataFormat === 'NCHW' && info?.shape.length === 1 && info.shape[0] !== 1;
  return isChannels ? aten.reshape(slopes, [-1, 1, 1]) : slopes;
}

/** A transposed convolution's input may be larger than the convolution's output: TensorFlow.js ignores the rest. */
function outputsOf(dy: Handle, shape: number[], { dataFormat, outputSizes }: Geometry): Handle {
  const first = dataFormat === 'NHWC' ? 1 : 2;
  return outputSizes.reduce(
    (cut, size, i) => (size < shape[first + i] ? aten.narrow(cut, first + i, 0, size) : cut),
    dy,
  );
}

/** Define convolutions of pictures. */
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
}
