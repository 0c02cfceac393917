import { exactExp, exactSin, reflected } from '@fourfold/common/basics';
import type { Picture } from './picture.js';

/**
 * Interpolation kernels of MATLAB's `imresize`: `cubic` is Keys' convolution kernel with a = -0.5 ("Cubic Convolution
 * Interpolation for Digital Image Processing", 1981), `lanczos3` the sinc windowed to three lobes, `nearest` a box.
 */
export type Kernel = 'nearest' | 'cubic' | 'lanczos3';

interface KernelShape {
  /** Width of the support in input pixels. */
  width: number;
  /** Whether the kernel is stretched when shrinking. */
  antialiased: boolean;
  at(x: number): number;
}

const kernels: Record<Kernel, KernelShape> = {
  nearest: { width: 1, antialiased: false, at: (x) => (x >= -0.5 && x < 0.5 ? 1 : 0) },
  cubic: { width: 4, antialiased: true, at: cubic },
  lanczos3: { width: 6, antialiased: true, at: lanczos3 },
};

/** For every output position, the `taps` input positions (a multiple of 4) that it is a weighted sum of. */
interface Contributions {
  taps: number;
  indices: Int32Array;
  weights: Float64Array;
}

/**
 * MATLAB's `imresize(picture, scale, kernel)` on uint8: the sides become ceil(side * scale); antialiased when shrinking;
 * symmetric edges; rows (the vertical direction) first; sums in double precision, rounded to uint8 after each pass.
 */
export function resizeBy(picture: Picture, scale: number, kernel: Kernel): Picture {
  const across = contributions(picture.width, Math.ceil(picture.width * scale), scale, kernels[kernel]);
  const down = contributions(picture.height, Math.ceil(picture.height * scale), scale, kernels[kernel]);
  return resizeColumns(resizeRows(picture, down), across);
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
  return resizeColumns(resizeRows(picture, down), across);
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

function cubic(x: number): number {
  const a = Math.abs(x);
  const square = a * a;
  const cube = square * a;
  if (a <= 1) return 1.5 * cube - 2.5 * square + 1;
  return a <= 2 ? -0.5 * cube + 2.5 * square - 4 * a + 2 : 0;
}

function lanczos3(x: number): number {
  if (Math.abs(x) >= 3) return 0;
  // MATLAB adds epsilon to numerator and denominator, which makes the value at 0 one.
  const angle = Math.PI * x;
  return (exactSin(angle) * exactSin(angle / 3) + Number.EPSILON) / ((angle * angle) / 3 + Number.EPSILON);
}

const gaussian = (x: number, radius: number, sigma: number) =>
  Math.abs(x) > radius ? 0 : exactExp(-(x * x) / (2 * sigma * sigma));

/**
 * Output centre x (from 1) lies at u = x / scale + (1 - 1 / scale) / 2 of the input; the weights are the kernel at u
 * minus the input positions around it, normalised. Positions outside mirror at the edges, the edge pixel repeated.
 */
function contributions(inputSize: number, outputSize: number, scale: number, shape: KernelShape): Contributions {
  const stretch = shape.antialiased && scale < 1 ? scale : 1;
  const support = shape.width / stretch;
  const taps = 4 * Math.ceil(support / 4);
  const indices = new Int32Array(outputSize * taps);
  const weights = new Float64Array(outputSize * taps);
  const phases = new Map<number, Float64Array>();
  for (let o = 0; o < outputSize; o++) {
    const u = (o + 1) / scale + 0.5 * (1 - 1 / scale);
    const first = Math.floor(u - support / 2) + 1;
    const phase = phases.get(u - first) ?? normalised(taps, (t) => shape.at(stretch * (u - first - t)));
    phases.set(u - first, phase);
    weights.set(phase, o * taps);
    for (let t = 0; t < taps; t++) indices[o * taps + t] = reflected(first + t - 1, inputSize);
  }
  return { taps, indices, weights };
}

function normalised(taps: number, weightAt: (t: number) => number): Float64Array {
  const weights = Float64Array.from({ length: taps }, (_, t) => weightAt(t));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

function resizeRows({ data, width }: Picture, { taps, indices, weights }: Contributions): Picture {
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

function resizeColumns({ data, width: inputWidth, height }: Picture, columns: Contributions): Picture {
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
