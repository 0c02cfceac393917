import tf = require('@tensorflow/tfjs-core');
import type {
  DepthwiseConv2dNativeAttrs,
  DepthwiseConv2dNativeBackpropFilterAttrs,
  DepthwiseConv2dNativeBackpropFilterInputs,
  DepthwiseConv2dNativeBackpropInputAttrs,
  DepthwiseConv2dNativeBackpropInputInputs,
  DepthwiseConv2dNativeInputs,
  FusedDepthwiseConv2DAttrs,
  FusedDepthwiseConv2DInputs,
} from '@tensorflow/tfjs-core';
import { aten } from '../aten.js';
import { define } from '../kernel.js';
import type { Handle } from '../native.js';
import { activate } from './activate.js';
import { convolve, filterGradient, geometry2d, inputGradient } from './convolve.js';

const {
  DepthwiseConv2dNative,
  DepthwiseConv2dNativeBackpropFilter,
  DepthwiseConv2dNativeBackpropInput,
  FusedDepthwiseConv2D,
} = tf;

/** Depthwise [height, width, input, multiplier] to [input * multiplier, 1, height, width]. */
const depthwiseFilter = (filter: Handle, [height, width, inputs, multiplier]: number[]): Handle =>
  aten.reshape(aten.permute(filter, [2, 3, 0, 1]), [inputs * multiplier, 1, height, width]);

const depthwiseBack = (gradient: Handle, [height, width, inputs, multiplier]: number[]): Handle =>
  aten.permute(aten.reshape(gradient, [inputs, multiplier, height, width]), [2, 3, 0, 1]);

/** Define depthwise convolutions of pictures. */
export function defineDepthwise(): void {
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
