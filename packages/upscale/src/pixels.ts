import { FourfoldError } from '@fourfold/common/basics';
import type { Picture, Pixels } from './types.js';

/** Whether a value is pixels, not the bytes of a file. */
export const isPixels = (value: object): value is Pixels => 'width' in value && 'height' in value && 'data' in value;

/** Pixels as RGB; alpha is composited on white. Throws `invalid` if their number does not fit the size. */
export function rgbOf({ data, width, height }: Pixels): Picture {
  const pixels = width * height;
  const isSize = Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0;
  if (!isSize || (data.length !== 3 * pixels && data.length !== 4 * pixels)) {
    throw new FourfoldError('invalid', `${data.length} values are not the pixels of a picture of ${width}x${height}`, {
      hint: 'give 3 values (RGB) or 4 (RGB and alpha) for each pixel',
    });
  }
  if (data.length === 3 * pixels) return { data: Uint8Array.from(data), width, height };
  const rgb = new Uint8Array(3 * pixels);
  for (let i = 0, to = 0; i < data.length; i += 4) {
    const alpha = data[i + 3] / 255;
    for (let c = 0; c < 3; c++) rgb[to++] = Math.round(data[i + c] * alpha + 255 * (1 - alpha));
  }
  return { data: rgb, width, height };
}
