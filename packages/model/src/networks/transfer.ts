import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';
import { kernels } from '../kernels/kernels.js';
import { named, type NamedTensors } from '../layers/layer.js';
import type { Layout } from '@fourfold/weights';

/** A network's tensors with a copy of its flat vector. */
export function uploadParameters(layout: Layout, vector: Float32Array): NamedTensors {
  assert.equal(vector.length, layout.length, `a vector of the ${layout.network}’s layout`);
  return new Map(
    layout.tensors.map(({ name, shape, offset, sizeElements }) => [
      name,
      kernels().upload(vector.subarray(offset, offset + sizeElements), shape),
    ]),
  );
}

/** Give a network's tensors another vector's values: overwritten if the backend can, else replaced by new ones. */
export function replaceParameters(layout: Layout, tensors: NamedTensors, vector: Float32Array): NamedTensors {
  const { overwrite } = kernels();
  if (!overwrite) {
    disposeTensors(tensors);
    return uploadParameters(layout, vector);
  }
  assert.equal(vector.length, layout.length, `a vector of the ${layout.network}’s layout`);
  const inOrder = layout.tensors.map(({ name }) => named(tensors, name));
  overwrite(inOrder, vector);
  return tensors;
}

/** Gradients and statistics as one vector of the layout on the backend: one copy to the host instead of many. */
export const packGradients = (layout: Layout, tensors: NamedTensors): tf.Tensor1D =>
  tf.tidy(() => tf.concat1d(layout.tensors.map(({ name }) => tf.reshape<tf.Rank.R1>(named(tensors, name), [-1]))));

/** Copy a vector on the backend to `target`. */
export async function downloadVector(vector: tf.Tensor1D, target: Float32Array): Promise<void> {
  await kernels().download([vector], target);
}

/** Free parameters or gradients. */
export function disposeTensors(tensors: NamedTensors): void {
  tf.dispose([...tensors.values()]);
  tensors.clear();
}

/** The number of existing tensors of any kind, which shows leaks. */
export const tensorCount = (): number => tf.memory().numTensors;

/**
 * Write gradients, and the batch's statistics in the statistics' places, to a flat vector of the layout's length, which may
 * be in shared memory. The tensors stay the caller's.
 */
export async function downloadGradients(layout: Layout, tensors: NamedTensors, target: Float32Array): Promise<void> {
  assert.equal(target.length, layout.length, `a vector of the ${layout.network}’s layout`);
  const inOrder = layout.tensors.map(({ name }) => named(tensors, name));
  await kernels().download(inOrder, target);
}

/** Pictures of one replica's batch: uint8 RGB, [count, crop, crop, 3] and [count, crop / 4, crop / 4, 3]. */
export interface CropBatch {
  hr: Uint8Array;
  lr: Uint8Array;
  count: number;
  /** Side of an HR crop in pixels. */
  crop: number;
}

/** A batch on the backend: HR in [-1, 1], LR in [0, 1]. */
export interface BatchTensors {
  hr: tf.Tensor4D;
  lr: tf.Tensor4D;
}

/** From 8-bit levels to HR in [-1, 1] and LR in [0, 1]. */
const ranges = { hr: { scale: 1 / 127.5, shift: -1 }, lr: { scale: 1 / 255, shift: 0 } };

/** A batch's pictures as tensors. */
export function uploadBatch({ hr, lr, count, crop }: CropBatch): BatchTensors {
  return {
    hr: kernels().uploadPictures(hr, [count, crop, crop, 3], ranges.hr.scale, ranges.hr.shift),
    lr: uploadLr(lr, [count, crop / 4, crop / 4, 3]),
  };
}

/** 8-bit LR pictures as a tensor in [0, 1]. */
export const uploadLr = (levels: Uint8Array, shape: tf.Tensor4D['shape']): tf.Tensor4D =>
  kernels().uploadPictures(levels, shape, ranges.lr.scale, ranges.lr.shift);

/** Overwrite a batch with another one of the same size, on a backend whose tensors are mutable. */
export function overwriteBatch(tensors: BatchTensors, { hr, lr }: CropBatch): void {
  const { overwritePictures } = kernels();
  assert(overwritePictures, 'this backend’s tensors are immutable');
  overwritePictures(tensors.hr, hr, ranges.hr.scale, ranges.hr.shift);
  overwritePictures(tensors.lr, lr, ranges.lr.scale, ranges.lr.shift);
}
