import { exactSin, reflected } from '@fourfold/common/basics';

/**
 * Interpolation kernels of MATLAB's `imresize`: `cubic` is Keys' convolution kernel with a = -0.5 ("Cubic Convolution
 * Interpolation for Digital Image Processing", 1981), `lanczos3` the sinc windowed to three lobes, `nearest` a box.
 */
export type Kernel = 'nearest' | 'cubic' | 'lanczos3';

/** A kernel as a function. */
export interface KernelShape {
  /** Width of the support in input pixels. */
  width: number;
  /** Whether the kernel is stretched when shrinking. */
  antialiased: boolean;
  at(x: number): number;
}

export const kernels: Record<Kernel, KernelShape> = {
  nearest: { width: 1, antialiased: false, at: (x) => (x >= -0.5 && x < 0.5 ? 1 : 0) },
  cubic: { width: 4, antialiased: true, at: cubic },
  lanczos3: { width: 6, antialiased: true, at: lanczos3 },
};

/** For every output position, the `taps` input positions (a multiple of 4) that it is a weighted sum of. */
export interface Contributions {
  taps: number;
  indices: Int32Array;
  weights: Float64Array;
}

/**
 * Output centre x (from 1) lies at u = x / scale + (1 - 1 / scale) / 2 of the input; the weights are the kernel at u
 * minus the input positions around it, normalised. Positions outside mirror at the edges, the edge pixel repeated.
 */
export function contributions(inputSize: number, outputSize: number, scale: number, shape: KernelShape): Contributions {
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
