import assert from 'node:assert/strict';
import { exactExp, exactLog10, highestPsnr } from '@fourfold/common/basics';

/*
 * PSNR and SSIM as super-resolution papers report them: on unrounded Y of YCbCr in 16..235, with a border of 4 pixels
 * removed. This follows BasicSR's `test_y_channel`; MATLAB's rgb2ycbcr of uint8 pictures also rounds Y.
 */

const borderPixels = 4;

/** Y of 8-bit RGB pixels: 65.481 R + 128.553 G + 24.966 B + 16 with RGB in [0, 1] (BT.601), not rounded. */
export function luma(rgb: Uint8Array): Float64Array {
  const y = new Float64Array(rgb.length / 3);
  for (let i = 0, at = 0; i < y.length; i++, at += 3) {
    y[i] = (65.481 * rgb[at] + 128.553 * rgb[at + 1] + 24.966 * rgb[at + 2]) / 255 + 16;
  }
  return y;
}

/** PSNR in dB of two 8-bit RGB pictures, over Y without its border, for a peak of 255; at most `highestPsnr`. */
export function psnrY(a: Uint8Array, b: Uint8Array, width: number, height: number): number {
  const [first, second] = [innerLuma(a, width, height), innerLuma(b, width, height)];
  let sum = 0;
  for (let i = 0; i < first.values.length; i++) {
    const difference = first.values[i] - second.values[i];
    sum += difference * difference;
  }
  return Math.min(highestPsnr, 10 * exactLog10((255 * 255 * first.values.length) / sum));
}

/**
 * SSIM of two 8-bit RGB pictures (Wang et al. 2004) over Y without its border: 11x11 Gaussian window of sigma 1.5, mean
 * over all positions where the window fits, K1 0.01, K2 0.03, range 255. Pictures need at least 19 x 19 pixels.
 */
export function ssimY(a: Uint8Array, b: Uint8Array, width: number, height: number): number {
  const first = innerLuma(a, width, height);
  const second = innerLuma(b, width, height);
  const columns = first.width - taps + 1;
  const rows = first.height - taps + 1;
  assert(columns > 0 && rows > 0, `SSIM needs pictures of at least ${taps + 2 * borderPixels} pixels a side`);
  const ring = Array.from({ length: taps }, () => createMoments(columns));
  const window = createMoments(columns);
  let sum = 0;
  for (let row = 0; row < first.height; row++) {
    filterRow(first.values, second.values, row * first.width, ring[row % taps]);
    if (row < taps - 1) continue;
    filterColumns(ring, row + 1, window);
    sum += similarity(window);
  }
  return sum / (rows * columns);
}

const taps = 11;
const gaussian = normalised(Array.from({ length: taps }, (_, i) => exactExp(((i - 5) * (5 - i)) / (2 * 1.5 * 1.5))));

/** Gaussian-weighted means of a, b, a*a, b*b and a*b along one row. */
type Moments = [a: Float64Array, b: Float64Array, aa: Float64Array, bb: Float64Array, ab: Float64Array];

function createMoments(columns: number): Moments {
  const row = () => new Float64Array(columns);
  return [row(), row(), row(), row(), row()];
}

function filterRow(first: Float64Array, second: Float64Array, start: number, [a, b, aa, bb, ab]: Moments): void {
  for (let column = 0; column < a.length; column++) {
    let [sumA, sumB, sumAa, sumBb, sumAb] = [0, 0, 0, 0, 0];
    for (let tap = 0; tap < taps; tap++) {
      const x = first[start + column + tap];
      const y = second[start + column + tap];
      const weightedX = gaussian[tap] * x;
      const weightedY = gaussian[tap] * y;
      sumA += weightedX;
      sumB += weightedY;
      sumAa += weightedX * x;
      sumBb += weightedY * y;
      sumAb += weightedX * y;
    }
    a[column] = sumA;
    b[column] = sumB;
    aa[column] = sumAa;
    bb[column] = sumBb;
    ab[column] = sumAb;
  }
}

/** Weighted sum of the ring's rows, the oldest of which is at `oldest` modulo its length. */
function filterColumns(ring: Moments[], oldest: number, window: Moments): void {
  for (const [moment, target] of window.entries()) {
    target.fill(0);
    for (let tap = 0; tap < taps; tap++) {
      const row = ring[(oldest + tap) % taps][moment];
      for (let column = 0; column < target.length; column++) target[column] += gaussian[tap] * row[column];
    }
  }
}

function similarity([a, b, aa, bb, ab]: Moments): number {
  const c1 = 0.01 * 255 * (0.01 * 255);
  const c2 = 0.03 * 255 * (0.03 * 255);
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const meanProduct = a[i] * b[i];
    const meanSquares = a[i] * a[i] + b[i] * b[i];
    const covariance = ab[i] - meanProduct;
    const variances = aa[i] + bb[i] - meanSquares;
    sum += ((2 * meanProduct + c1) * (2 * covariance + c2)) / ((meanSquares + c1) * (variances + c2));
  }
  return sum;
}

function innerLuma(rgb: Uint8Array, width: number, height: number) {
  assert.equal(rgb.length, 3 * width * height, 'pixels do not match the picture’s size');
  const inner = { width: width - 2 * borderPixels, height: height - 2 * borderPixels };
  assert(inner.width > 0 && inner.height > 0, `the picture is not larger than its ${borderPixels}-pixel border`);
  const y = luma(rgb);
  const values = new Float64Array(inner.width * inner.height);
  for (let row = 0; row < inner.height; row++) {
    const start = (row + borderPixels) * width + borderPixels;
    values.set(y.subarray(start, start + inner.width), row * inner.width);
  }
  return { ...inner, values };
}

function normalised(weights: number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
