import type { Picture } from '@fourfold/imaging';

/** Size of the picture that exported models are tried on: odd, different sides, so that swapped axes show. */
const width = 61;
const height = 43;

/** A picture with slopes, edges, stripes, black, white, pure colours and noise; the same every time. */
export function trialPicture(): Picture {
  const data = new Uint8Array(3 * width * height);
  let noise = 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      noise = (noise * 48271) % 0x7fffffff;
      data.set(pixelAt(x, y, noise % 256), 3 * (y * width + x));
    }
  }
  return { data, width, height };
}

function pixelAt(x: number, y: number, noise: number): number[] {
  const across = Math.round((255 * x) / (width - 1));
  const down = Math.round((255 * y) / (height - 1));
  if (y < 10) return x % 8 < 4 ? [0, 0, 0] : [255, 255, 255];
  if (y < 20) return [across, down, 255 - across];
  if (y < 30) return x < 20 ? [255, 0, 0] : x < 40 ? [0, 255, 0] : [0, 0, 255];
  return x < 30 ? [noise, (7 * noise) % 256, (13 * noise) % 256] : [down, (x * y) % 256, across];
}

/** Largest difference of two pictures in grey levels; Infinity where their sizes differ. */
export function largestDifference(a: Picture, b: Picture): number {
  if (a.width !== b.width || a.height !== b.height || a.data.length !== b.data.length) return Infinity;
  return a.data.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b.data[i])), 0);
}
