import tf = require('@tensorflow/tfjs-core');
import type {
  FlipLeftRightInputs,
  ResizeBilinearAttrs,
  ResizeBilinearGradInputs,
  ResizeBilinearInputs,
} from '@tensorflow/tfjs-core';
import { aten, scalarType } from '../aten.js';
import { torchBackend } from '../backend.js';
import { define } from '../kernel.js';
import { loadNative, type Handle } from '../native.js';

const { FlipLeftRight, ResizeBilinear, ResizeBilinearGrad, ResizeNearestNeighbor, ResizeNearestNeighborGrad } = tf;

/** TensorFlow's three ways to align an output axis with the input's. */
type Way = Pick<ResizeBilinearAttrs, 'alignCorners' | 'halfPixelCenters'>;

/** The axes of a batch of pictures that are resized. */
const axes = [1, 2] as const;

const scaleOf = (input: number, output: number, alignCorners: boolean): number =>
  alignCorners && output > 1 ? (input - 1) / (output - 1) : input / output;

/** For each output position of an axis: the two input rows it reads, and the second one's share. */
function linearPlaces(input: number, output: number, { alignCorners, halfPixelCenters }: Way) {
  const scale = scaleOf(input, output, alignCorners);
  const places = Array.from({ length: output }, (_, i) =>
    Math.max(0, halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale),
  );
  const below = places.map((place) => Math.min(Math.floor(place), input - 1));
  const above = places.map((place) => Math.min(Math.ceil(place), input - 1));
  return { below, above, shares: places.map((place, i) => place - below[i]) };
}

/** The input row that each output position of an axis reads. */
function nearestPlaces(input: number, output: number, { alignCorners, halfPixelCenters }: Way): number[] {
  const scale = scaleOf(input, output, alignCorners);
  return Array.from({ length: output }, (_, i) => {
    const place = halfPixelCenters ? (i + 0.5) * scale : i * scale;
    return Math.min(Math.max(alignCorners ? Math.round(place) : Math.floor(place), 0), input - 1);
  });
}

const indicesOf = (rows: number[]): Handle =>
  loadNative().write(Int32Array.from(rows), [rows.length], torchBackend().device);

/** Shares along an axis, shaped to broadcast over [batch, height, width, channels]. */
const sharesOf = (shares: number[], axis: 1 | 2): Handle =>
  loadNative().write(
    Float32Array.from(shares),
    axis === 1 ? [shares.length, 1, 1] : [shares.length, 1],
    torchBackend().device,
  );

const rows = (x: Handle, axis: number, indices: number[]): Handle => aten.index_select(x, axis, indicesOf(indices));

/** Sum the rows at the positions they were read from: the gradient of `rows`. */
const rowSums = (dy: Handle, axis: number, indices: number[], sums: Handle): Handle =>
  aten.index_add(sums, axis, indicesOf(indices), dy);

/** Zeros in a gradient's shape, but with `size` on an axis. */
const zerosBefore = (dy: Handle, axis: number, size: number): Handle =>
  aten.new_zeros(dy, loadNative().shape(dy).with(axis, size));

export function defineImages(): void {
  define<FlipLeftRightInputs>(FlipLeftRight, ({ image }) => aten.flip(image, [2]));
  define<ResizeBilinearInputs, ResizeBilinearAttrs>(ResizeBilinear, ({ images }, { size, ...way }, { infos }) =>
    axes.reduce(
      (x, axis) => {
        const { below, above, shares } = linearPlaces(infos.images.shape[axis], size[axis - 1], way);
        return aten['lerp.Tensor'](rows(x, axis, below), rows(x, axis, above), sharesOf(shares, axis));
      },
      aten['to.dtype'](images, scalarType.float32),
    ),
  );
  define<ResizeBilinearInputs, ResizeBilinearAttrs>(ResizeNearestNeighbor, ({ images }, { size, ...way }, { infos }) =>
    axes.reduce((x, axis) => rows(x, axis, nearestPlaces(infos.images.shape[axis], size[axis - 1], way)), images),
  );
  define<ResizeBilinearGradInputs, Way>(ResizeBilinearGrad, (inputs, way, { infos }) =>
    axes.reduce((dy, axis) => {
      const input = infos.images.shape[axis];
      const { below, above, shares } = linearPlaces(input, infos.dy.shape[axis], way);
      const toAbove = aten['mul.Tensor'](dy, sharesOf(shares, axis));
      const sums = rowSums(aten['sub.Tensor'](dy, toAbove), axis, below, zerosBefore(dy, axis, input));
      return rowSums(toAbove, axis, above, sums);
    }, inputs.dy),
  );
  define<ResizeBilinearGradInputs, Way>(ResizeNearestNeighborGrad, (inputs, way, { infos }) =>
    axes.reduce((dy, axis) => {
      const input = infos.images.shape[axis];
      return rowSums(dy, axis, nearestPlaces(input, infos.dy.shape[axis], way), zerosBefore(dy, axis, input));
    }, inputs.dy),
  );
}
