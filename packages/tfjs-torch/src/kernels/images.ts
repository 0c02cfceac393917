import {
  FlipLeftRight,
  ResizeBilinear,
  ResizeNearestNeighbor,
  type FlipLeftRightInputs,
  type ResizeBilinearAttrs,
  type ResizeBilinearInputs,
} from '@tensorflow/tfjs-core';
import { aten, scalarType } from '../aten.js';
import { define } from '../kernel.js';
import { loadNative, type Handle } from '../native.js';

/** Where each output place of an axis lies on the input's, in TensorFlow's three ways. */
function places(input: number, output: number, alignCorners: boolean, halfPixelCenters: boolean): number[] {
  const scale = alignCorners && output > 1 ? (input - 1) / (output - 1) : input / output;
  return Array.from({ length: output }, (_, i) => (halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale));
}

/** Rows of an axis by their indices. */
function rows(x: Handle, axis: number, indices: number[], device: string): Handle {
  return aten.index_select(x, axis, loadNative().write(Int32Array.from(indices), [indices.length], device));
}

export function defineImages(): void {
  define<FlipLeftRightInputs>(FlipLeftRight, ({ image }) => aten.flip(image, [2]));
  define<ResizeBilinearInputs, ResizeBilinearAttrs>(
    ResizeBilinear,
    ({ images }, { size, alignCorners, halfPixelCenters }, { infos, backend }) => {
      const resizeAxis = (x: Handle, axis: 1 | 2) => {
        const input = infos.images.shape[axis];
        const at = places(input, size[axis - 1], alignCorners, halfPixelCenters).map((place) => Math.max(0, place));
        const below = at.map((place) => Math.min(Math.floor(place), input - 1));
        const above = at.map((place) => Math.min(Math.ceil(place), input - 1));
        const shares = Float32Array.from(at, (place, i) => place - below[i]);
        const side = axis === 1 ? [shares.length, 1, 1] : [shares.length, 1];
        const share = loadNative().write(shares, side, backend.device);
        return aten['lerp.Tensor'](rows(x, axis, below, backend.device), rows(x, axis, above, backend.device), share);
      };
      return resizeAxis(resizeAxis(aten['to.dtype'](images, scalarType.float32), 1), 2);
    },
  );
  define<ResizeBilinearInputs, ResizeBilinearAttrs>(
    ResizeNearestNeighbor,
    ({ images }, { size, alignCorners, halfPixelCenters }, { infos, backend }) =>
      ([1, 2] as const).reduce((x, axis) => {
        const input = infos.images.shape[axis];
        const scale = alignCorners && size[axis - 1] > 1 ? (input - 1) / (size[axis - 1] - 1) : input / size[axis - 1];
        const nearest = Array.from({ length: size[axis - 1] }, (_, i) => {
          const place = halfPixelCenters ? (i + 0.5) * scale : i * scale;
          const rounded = alignCorners ? Math.round(place) : Math.floor(place);
          return Math.min(Math.max(rounded, 0), input - 1);
        });
        return rows(x, axis, nearest, backend.device);
      }, images),
  );
}
