import { aten, scalarType } from '../aten.js';
import { torchBackend } from '../backend.js';
import { loadNative, type Handle } from '../native.js';
import type { Geometry } from './geometry.js';
import { channelsBack } from './layout.js';

/*
 * A wide convolution to few channels, such as the generator's last one, 9x9 to three, leaves most lanes of a processor's
 * vectors empty. As a convolution in which each of the filter's columns is an output channel it fills them; the columns'
 * results, shifted by their positions, are then added up. 81 ms become 34 (16x96x96x64, two cores).
 */

/** Multiples of this many output channels fill whole vectors. */
const lanes = 32;

/** Whether `convolveByColumns` computes this convolution faster than oneDNN does. */
export function isNarrow(filter: Handle, { rank, dataFormat, strides, dilations, groups }: Geometry): boolean {
  if (rank !== 4 || dataFormat !== 'NHWC' || groups !== 1 || torchBackend().device !== 'cpu') return false;
  const native = loadNative();
  const [outputs, inputs, , width] = native.shape(filter);
  const columns = outputs * width;
  const isPlain = [...strides, ...dilations].every((step) => step === 1);
  const isFloat = native.scalarType(filter) === scalarType.float32;
  return isPlain && isFloat && outputs < 8 && inputs >= 16 && columns > lanes / 2 && columns <= lanes;
}

/**
 * The convolution of x [batch, inputs, height, width] with a filter [outputs, inputs, height, width], padded equally on both
 * sides, plus a bias; returns [batch, height, width, outputs].
 */
export function convolveByColumns(x: Handle, filter: Handle, bias: Handle | undefined, padding: number[]): Handle {
  const native = loadNative();
  const [outputs, inputs, height, width] = native.shape(filter);
  const columns = aten.reshape(aten.permute(filter, [3, 0, 1, 2]), [width * outputs, inputs, height, 1]);
  const filled = aten.constant_pad_nd(columns, [0, 0, 0, 0, 0, 0, 0, lanes - width * outputs], 0);
  const none = [0, 0];
  const first = aten.convolution(x, filled, undefined, [1, 1], padding, [1, 1], false, none, 1);
  const z = aten.contiguous(channelsBack(first, 4));
  const [batch, rows, places] = native.shape(z);
  const row = places * lanes;
  const shifted = aten.as_strided(
    z,
    [width, batch, rows, places - width + 1, outputs],
    [lanes + outputs, rows * row, row, lanes, 1],
  );
  const y = aten['sum.dim_IntList'](shifted, [0]);
  return bias === undefined ? y : aten['add_.Tensor'](y, bias);
}
