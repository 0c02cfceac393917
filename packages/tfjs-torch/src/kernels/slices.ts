import tf = require('@tensorflow/tfjs-core');
import type { SliceAttrs, StridedSliceAttrs, UnaryInputs } from '@tensorflow/tfjs-core';
import { aten } from '../aten.js';
import { define } from '../kernel.js';
import { loadNative, type Handle } from '../native.js';

const { Slice, slice_util, StridedSlice } = tf;

/** A box of a tensor, copied: a view would keep the whole tensor's memory. */
const box = (x: Handle, begin: number[], size: number[]): Handle =>
  copied(begin.reduce((cut, start, axis) => aten.narrow(cut, axis, start, size[axis]), x));

const copied = (x: Handle): Handle => aten.clone(x, 0);

export function defineSlices(): void {
  define<UnaryInputs, SliceAttrs>(
    Slice,
    ({ x }, { begin, size }, { infos }) => {
      const [start, sizes] = slice_util.parseSliceParams({ shape: infos.x.shape } as never, begin, size);
      slice_util.assertParamsValid({ shape: infos.x.shape } as never, start, sizes);
      return box(x, start, sizes);
    },
    'stored',
  );
  define<UnaryInputs, StridedSliceAttrs>(StridedSlice, ({ x }, attributes, { infos, backend }) => {
    const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attributes;
    const info = slice_util.sliceInfo(
      infos.x.shape,
      begin,
      end,
      strides,
      beginMask,
      endMask,
      ellipsisMask,
      newAxisMask,
      shrinkAxisMask,
    );
    if (info.isIdentity) return aten.reshape(aten.clone(x), info.finalShape);
    if (info.sliceDim0 || info.isSimpleSlice) {
      const size = slice_util.computeOutShape(info.begin, info.end, info.strides);
      return aten.reshape(box(aten.reshape(x, infos.x.shape), info.begin, size), info.finalShape);
    }
    const sizes = slice_util.computeOutShape(info.begin, info.end, info.strides);
    const picked = sizes.reduce((result, length, axis) => {
      const indices = Int32Array.from({ length }, (_, i) => info.begin[axis] + i * info.strides[axis]);
      return aten.index_select(result, axis, loadNative().write(indices, [length], backend.device));
    }, x);
    return aten.reshape(picked, info.finalShape);
  });
}
