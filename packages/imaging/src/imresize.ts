import { exactExp } from '@fourfold/common/basics';
import { contributions, kernels, type Contributions, type Kernel } from './contributions.js';
import type { Picture } from './picture.js';
import { resizeWhole, wholeWeights } from './whole-weights.js';

/**
 * MATLAB's `imresize(picture, scale, kernel)` on uint8: the sides become ceil(side * scale); antialiased when shrinking;
 * symmetric edges; rows (the vertical direction) first; sums in double precision, rounded to uint8 after each pass.
 */
export function resizeBy(picture: Picture, scale: number, kernel: Kernel): Picture {
  const across = contributions(picture.width, Math.ceil(picture.width * scale), scale, kernels[kernel]);
  const down = contributions(picture.height, Math.ceil(picture.height * scale), scale, kernels[kernel]);
  return resizeRowsFirst(picture, down, across);
}

/**
 * MATLAB's `imresize(picture, [height width], kernel)` on uint8; the direction with the smaller scale goes first, rows
 * where they are equal.
 */
export function resizeTo(picture: Picture, width: number, height: number, kernel: Kernel): Picture {
  const scaleX = width / picture.width;
  const scaleY = height / picture.height;
  const across = contributions(picture.width, width, scaleX, kernels[kernel]);
  const down = contributions(picture.height, height, scaleY, kernels[kernel]);
  if (scaleX < scaleY) return resizeRows(resizeColumns(picture, across), down);
  return resizeRowsFirst(picture, down, across);
}

/** Pixels on either side that a Gaussian blur of this standard deviation reads: ceil(2 sigma), as MATLAB's imgaussfilt. */
export const blurRadius = (sigma: number): number => Math.ceil(2 * sigma);

/**
 * Gaussian blur with a standard deviation in pixels, cut off at `blurRadius`. Edges are symmetric, rows go first and each
 * pass is rounded to uint8, as in `resizeBy`.
 */
export function blur(picture: Picture, sigma: number): Picture {
  const radius = blurRadius(sigma);
  const shape = { width: 2 * radius + 1, antialiased: false, at: (x: number) => gaussian(x, radius, sigma) };
  const across = contributions(picture.width, picture.width, 1, shape);
  const down = contributions(picture.height, picture.height, 1, shape);
  return resizeColumns(resizeRows(picture, down), across);
}

/** The LR picture of an HR one: a Gaussian blur where `blurSigma` is above 0, then bicubic by 1/4. */
export function downscale(picture: Picture, blurSigma: number): Picture {
  return resizeBy(blurSigma > 0 ? blur(picture, blurSigma) : picture, 1 / 4, 'cubic');
}

const gaussian = (x: number, radius: number, sigma: number) =>
  Math.abs(x) > radius ? 0 : exactExp(-(x * x) / (2 * sigma * sigma));

function resizeRowsFirst(picture: Picture, down: Contributions, across: Contributions): Picture {
  const [wholeDown, wholeAcross] = [wholeWeights(down), wholeWeights(across)];
  if (wholeDown && wholeAcross) return resizeWhole(picture, wholeDown, wholeAcross);
  return resizeColumns(resizeRows(picture, down), across);
}

/** In double precision, for any weights. */
export function resizeRows({ data, width }: Picture, { taps, indices, weights }: Contributions): Picture {
  const stride = width * 3;
  const height = weights.length / taps;
  const out = new Uint8Array(height * stride);
  const sums = new Float64Array(stride);
  const rowAt = (t: number) => data.subarray(indices[t] * stride, (indices[t] + 1) * stride);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let t = y * taps; t < (y + 1) * taps; t += 4) {
      addFourRows(sums, [rowAt(t), rowAt(t + 1), rowAt(t + 2), rowAt(t + 3)], weights.subarray(t, t + 4));
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = toUint8(sums[i]);
  }
  return { data: out, width, height };
}

/** Four rows per pass over the sums take half the time of one; the additions stay in the order of the taps. */
function addFourRows(sums: Float64Array, [a, b, c, d]: Uint8Array[], [wa, wb, wc, wd]: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] = sums[i] + wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
}

/** In double precision, for any weights. */
export function resizeColumns({ data, width: inputWidth, height }: Picture, columns: Contributions): Picture {
  const { taps, indices, weights } = columns;
  const width = weights.length / taps;
  const out = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const row = y * inputWidth * 3;
    for (let x = 0; x < width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let t = x * taps; t < (x + 1) * taps; t++) {
        const weight = weights[t];
        const from = row + indices[t] * 3;
        red += weight * data[from];
        green += weight * data[from + 1];
        blue += weight * data[from + 2];
      }
      const to = (y * width + x) * 3;
      out[to] = toUint8(red);
      out[to + 1] = toUint8(green);
      out[to + 2] = toUint8(blue);
    }
  }
  return { data: out, width, height };
}

/** Nearest integer, halves upwards, clamped to 0..255. */
function toUint8(value: number): number {
  if (value <= 0) return 0;
  return value >= 255 ? 255 : (value + 0.5) | 0;
}
