import tf = require('@tensorflow/tfjs-core');
import type {
  Conv3DAttrs,
  Conv3DBackpropFilterV2Attrs,
  Conv3DBackpropFilterV2Inputs,
  Conv3DBackpropInputV2Attrs,
  Conv3DBackpropInputV2Inputs,
  Conv3DInputs,
} from '@tensorflow/tfjs-core';
import { aten } from '../aten.js';
import { define } from '../kernel.js';
import { convolve, filterGradient, inputGradient } from './convolve.js';
import type { Geometry } from './geometry.js';

const { backend_util, Conv3D, Conv3DBackpropFilterV2, Conv3DBackpropInputV2 } = tf;

/** [depth, height, width, input, output] to [output, input, depth, height, width], and back. */
const volumeAxes = [4, 3, 0, 1, 2];
const volumeBack = [2, 3, 4, 1, 0];

type Shape5 = [number, number, number, number, number];

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

/** Define convolutions of volumes. */
export function defineVolumes(): void {
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
