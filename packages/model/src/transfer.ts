import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { kernels } from './kernels/kernels.js';
import { named, type NamedTensors } from './layers/index.js';
import type { Layout } from './layout.js';

/** A network's tensors from its flat vector, which is copied. */
export function uploadParameters(layout: Layout, vector: Float32Array): NamedTensors {
  assert.equal(vector.length, layout.length, `a vector of the ${layout.network}’s layout`);
  return new Map(
    layout.tensors.map(({ name, shape, offset, sizeElements }) => [
      name,
      kernels().upload(vector.subarray(offset, offset + sizeElements), shape),
    ]),
  );
}

/** Free parameters or gradients. */
export function disposeTensors(tensors: NamedTensors): void {
  tf.dispose([...tensors.values()]);
  tensors.clear();
}

/** How many tensors there are, of whatever use: what tells a leak. */
export const tensorCount = (): number => tf.memory().numTensors;

/**
 * Write gradients, and the batch's statistics in the statistics' places, to a flat vector of the layout's length, which may
 * lie on shared memory. The tensors stay the caller's.
 */
export function downloadGradients(layout: Layout, tensors: NamedTensors, target: Float32Array): void {
  assert.equal(target.length, layout.length, `a vector of the ${layout.network}’s layout`);
  for (const { name, offset, sizeElements } of layout.tensors) {
    kernels().download(named(tensors, name), target.subarray(offset, offset + sizeElements));
  }
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

/** A batch's pictures as tensors. */
export function uploadBatch({ hr, lr, count, crop }: CropBatch): BatchTensors {
  return {
    hr: kernels().uploadPictures(hr, [count, crop, crop, 3], 1 / 127.5, -1),
    lr: uploadLr(lr, [count, crop / 4, crop / 4, 3]),
  };
}

/** 8-bit LR pictures as a tensor in [0, 1]. */
export const uploadLr = (levels: Uint8Array, shape: tf.Tensor4D['shape']): tf.Tensor4D =>
  kernels().uploadPictures(levels, shape, 1 / 255, 0);
