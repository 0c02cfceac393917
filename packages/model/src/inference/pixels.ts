import type tf = require('@tensorflow/tfjs-core');
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

/** The 8-bit pixels of a region of SR, which is freed. */
export async function pixelsOf(sr: tf.Tensor4D, { left, top, width, height }: Rectangle): Promise<Picture> {
  const values = new Float32Array(sr.size);
  try {
    await kernels().download([sr], values);
  } finally {
    sr.dispose();
  }
  const data = new Uint8Array(3 * width * height);
  for (let row = 0, to = 0; row < height; row++) {
    const from = 3 * ((top + row) * sr.shape[2] + left);
    for (let i = from; i < from + 3 * width; i++) data[to++] = levelOf(values[i]);
  }
  return { data, width, height };
}

/** Nearest 8-bit grey level of a value in [-1, 1]; values outside are clipped. */
const levelOf = (value: number): number => Math.min(Math.max(Math.round((value + 1) * 127.5), 0), 255);

/** Copy a picture into a larger one. */
export function paste(part: Picture, into: Picture, left: number, top: number): void {
  for (let row = 0; row < part.height; row++) {
    const line = part.data.subarray(3 * row * part.width, 3 * (row + 1) * part.width);
    into.data.set(line, 3 * ((top + row) * into.width + left));
  }
}
