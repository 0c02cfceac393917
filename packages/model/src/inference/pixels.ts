import tf = require('@tensorflow/tfjs-core');
import type { Picture, Rectangle } from '@fourfold/common/basics';
import { kernels } from '../kernels/kernels.js';

/** Where a region is in the SR of what was seen for it. */
export const inResult = ({ left, top, width, height }: Rectangle, seen: Rectangle): Rectangle => ({
  left: 4 * (left - seen.left),
  top: 4 * (top - seen.top),
  width: 4 * width,
  height: 4 * height,
});

/** An empty picture for the SR of a picture or region. */
export const roomFor = ({ width, height }: Pick<Picture, 'width' | 'height'>): Picture => ({
  data: new Uint8Array(3 * 16 * width * height),
  width: 4 * width,
  height: 4 * height,
});

/** The 8-bit pixels of a region of SR. */
export function pixelsOf(sr: tf.Tensor4D, { left, top, width, height }: Rectangle): Picture {
  const values = new Float32Array(sr.size);
  kernels().download(sr, values);
  const data = new Uint8Array(3 * width * height);
  for (let row = 0, to = 0; row < height; row++) {
    const from = 3 * ((top + row) * sr.shape[2] + left);
    for (let i = from; i < from + 3 * width; i++) data[to++] = levelOf(values[i]);
  }
  return { data, width, height };
}

/** Nearest 8-bit grey level of a value in [-1, 1]; values outside are clipped. */
const levelOf = (value: number): number => Math.min(Math.max(Math.round((value + 1) * 127.5), 0), 255);

/**
 * What `work` returns, which holds no tensors; those that it has made are freed, also if a kernel throws, as for lack of memory.
 * `tf.tidy` would search a result's pixels for tensors.
 */
export function withoutTensors<T>(work: () => T): T {
  tf.engine().startScope();
  try {
    return work();
  } finally {
    tf.engine().endScope();
  }
}

/** Copy a picture into a larger one. */
export function paste(part: Picture, into: Picture, left: number, top: number): void {
  for (let row = 0; row < part.height; row++) {
    const line = part.data.subarray(3 * row * part.width, 3 * (row + 1) * part.width);
    into.data.set(line, 3 * ((top + row) * into.width + left));
  }
}
