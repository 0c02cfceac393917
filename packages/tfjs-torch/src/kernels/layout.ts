import { aten } from '../aten.js';
import type { Handle } from '../native.js';

/*
 * libtorch's convolutions and pools take channels before positions. A channels-last tensor of TensorFlow.js with its axes
 * permuted to that order is what libtorch calls channels_last: no copy.
 */

/** Spatial axes of a picture or a volume. */
type Rank = 4 | 5;

const toFirst: Record<Rank, number[]> = { 4: [0, 3, 1, 2], 5: [0, 4, 1, 2, 3] };
const toLast: Record<Rank, number[]> = { 4: [0, 2, 3, 1], 5: [0, 2, 3, 4, 1] };

const isChannelsLast = (dataFormat: string) => dataFormat === 'NHWC' || dataFormat === 'NDHWC';

/** A tensor of TensorFlow.js with its channels before its positions. */
export const channelsFirst = (x: Handle, rank: Rank, dataFormat = 'NHWC'): Handle =>
  isChannelsLast(dataFormat) ? aten.permute(x, toFirst[rank]) : x;

/** The inverse. */
export const channelsBack = (x: Handle, rank: Rank, dataFormat = 'NHWC'): Handle =>
  isChannelsLast(dataFormat) ? aten.permute(x, toLast[rank]) : x;

/** Padding before and after each spatial axis. */
export type Padding = [before: number, after: number][];

/** The padding if it is the same on both sides, which libtorch supports itself. */
export const symmetric = (padding: Padding): number[] | undefined =>
  padding.every(([before, after]) => before === after) ? padding.map(([before]) => before) : undefined;

/** Pad the spatial axes of a tensor whose channels come first. */
export const padSpatial = (x: Handle, padding: Padding, value: number): Handle =>
  aten.constant_pad_nd(x, padding.toReversed().flat(), value);

/** Remove a padding. */
export function cropSpatial(x: Handle, padding: Padding, sizes: number[]): Handle {
  return padding.reduce((cut, [before], i) => aten.narrow(cut, i + 2, before, sizes[i]), x);
}

/** An uninitialised channels-last tensor, for operators that read only its shape. */
export const emptyLike = (of: Handle, shape: number[]): Handle =>
  shape.length === 4
    ? aten.permute(aten.new_empty(of, [shape[0], shape[2], shape[3], shape[1]]), [0, 3, 1, 2])
    : aten.new_empty(of, shape);
