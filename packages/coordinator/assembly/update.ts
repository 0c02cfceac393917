export { roundInPlace, roundToBf16 } from '../../rpc/assembly/bf16';
export { accumulate, accumulateBf16, allUsable, allUsableBf16 } from '../../rpc/assembly/sum';
export { takeDeltas } from './deltas';

/*
 * The coordinator's arithmetic, IEEE float32 in SIMD lanes. Each operation rounds separately (WebAssembly has no fused
 * multiply-add), so every host computes the same bits. Addresses are bytes in the shared memory, counts are elements.
 * Only `moveAverages` touches anything after its range: vectors end in padding.
 */

/** The largest magnitude; NaN if an element is NaN. */
export function largest(source: usize, count: u32): f32 {
  let most = f32x4.splat(0);
  const end = source + ((<usize>count) << 2);
  const whole = source + ((<usize>(count & ~3)) << 2);
  for (; source < whole; source += 16) most = f32x4.max(most, f32x4.abs(v128.load(source)));
  let result = max<f32>(
    max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max<f32>(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  for (; source < end; source += 4) result = max<f32>(result, abs<f32>(load<f32>(source)));
  return result;
}

/** The sum of squares, in float64. */
export function sumOfSquares(source: usize, count: u32): f64 {
  let even: f64 = 0;
  let odd: f64 = 0;
  const end = source + ((<usize>count) << 2);
  const whole = source + ((<usize>(count & ~1)) << 2);
  for (; source < whole; source += 8) {
    const a = <f64>load<f32>(source);
    const b = <f64>load<f32>(source, 4);
    even += a * a;
    odd += b * b;
  }
  if (source < end) even += <f64>load<f32>(source) * <f64>load<f32>(source);
  return even + odd;
}

/**
 * Add a product to the sum, or set the sum to it, from factors, x [rows, inputs] and dy [rows, outputs], for the inputs `begin` <= i < `end`: an element of
 * x^T dy is ((0 + x[0, i] dy[0, j]) + x[1, i] dy[1, j]) + ..., whatever the range. `scratch` holds at least 12 floats a
 * row.
 */
export function addProduct(
  sum: usize,
  x: usize,
  dy: usize,
  rows: u32,
  inputs: u32,
  outputs: u32,
  begin: u32,
  end: u32,
  scratch: usize,
  scratchCount: u32,
  first: bool,
): void {
  const wholeOutputs = outputs & ~7;
  const wholeEnd = begin + ((end - begin) & ~3);
  const strips = scratch + ((<usize>rows) << 4);
  // As many outputs at once as the scratch holds.
  const group = (scratchCount / rows - 4) & ~7;
  for (let from: u32 = 0; from < wholeOutputs; from += group) {
    const to = min(from + group, wholeOutputs);
    packStrips(dy, rows, outputs, from, to, strips);
    for (let i = begin; i < wholeEnd; i += 4) {
      for (let row: u32 = 0; row < rows; row++) {
        v128.store(scratch + ((<usize>row) << 4), v128.load(x + ((<usize>row * inputs + i) << 2)));
      }
      for (let j = from; j < to; j += 8) {
        const strip = strips + ((<usize>(j - from) * rows) << 2);
        addBlock(sum + ((<usize>i * outputs + j) << 2), (<usize>outputs) << 2, scratch, strip, rows, first);
      }
    }
  }
  for (let i = begin; i < end; i++) {
    for (let j = i < wholeEnd ? wholeOutputs : 0; j < outputs; j++) {
      let product: f32 = 0;
      for (let row: u32 = 0; row < rows; row++) {
        product += load<f32>(x + ((<usize>row * inputs + i) << 2)) * load<f32>(dy + ((<usize>row * outputs + j) << 2));
      }
      const target = sum + ((<usize>i * outputs + j) << 2);
      store<f32>(target, first ? product : load<f32>(target) + product);
    }
  }
}

/** Columns `from` .. `to - 1` as strips of eight, so that a strip's rows are contiguous. */
function packStrips(dy: usize, rows: u32, outputs: u32, from: u32, to: u32, strips: usize): void {
  for (let j = from; j < to; j += 8) {
    for (let row: u32 = 0; row < rows; row++, strips += 32) {
      const source = dy + ((<usize>row * outputs + j) << 2);
      v128.store(strips, v128.load(source));
      v128.store(strips, v128.load(source, 16), 16);
    }
  }
}

/** A block of 4 x 8 of the product, in registers. */
function addBlock(sum: usize, stride: usize, x: usize, dy: usize, rows: u32, first: bool): void {
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let c0 = f32x4.splat(0);
  let c1 = f32x4.splat(0);
  let d0 = f32x4.splat(0);
  let d1 = f32x4.splat(0);
  for (let row: u32 = 0; row < rows; row++, x += 16, dy += 32) {
    const y0 = v128.load(dy);
    const y1 = v128.load(dy, 16);
    const a = v128.load_splat<f32>(x);
    a0 = f32x4.add(a0, f32x4.mul(a, y0));
    a1 = f32x4.add(a1, f32x4.mul(a, y1));
    const b = v128.load_splat<f32>(x, 4);
    b0 = f32x4.add(b0, f32x4.mul(b, y0));
    b1 = f32x4.add(b1, f32x4.mul(b, y1));
    const c = v128.load_splat<f32>(x, 8);
    c0 = f32x4.add(c0, f32x4.mul(c, y0));
    c1 = f32x4.add(c1, f32x4.mul(c, y1));
    const d = v128.load_splat<f32>(x, 12);
    d0 = f32x4.add(d0, f32x4.mul(d, y0));
    d1 = f32x4.add(d1, f32x4.mul(d, y1));
  }
  addRow(sum, a0, a1, first);
  addRow(sum + stride, b0, b1, first);
  addRow(sum + 2 * stride, c0, c1, first);
  addRow(sum + 3 * stride, d0, d1, first);
}

function addRow(sum: usize, left: v128, right: v128, first: bool): void {
  v128.store(sum, first ? left : f32x4.add(v128.load(sum), left));
  v128.store(sum, first ? right : f32x4.add(v128.load(sum, 16), right), 16);
}

/**
 * Adam (Kingma and Ba 2015, algorithm 1) in PyTorch's order of operations: with g = sum / replicas,
 * m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, p = p - stepSize * m / (sqrt(v) / rootCorrection2 + epsilon),
 * where stepSize = learningRate / (1 - beta1^t) and rootCorrection2 = sqrt(1 - beta2^t). It reads p, m and v from one
 * copy and writes them to another; the two may be the same. Touches nothing after its range. Returns whether all
 * results are finite: a mean or a first moment that is not makes its parameter NaN or infinite.
 */
export function adam(
  parameters: usize,
  firstMoments: usize,
  secondMoments: usize,
  newParameters: usize,
  newFirstMoments: usize,
  newSecondMoments: usize,
  sum: usize,
  count: u32,
  replicas: f32,
  beta1: f32,
  oneMinusBeta1: f32,
  beta2: f32,
  oneMinusBeta2: f32,
  stepSize: f32,
  rootCorrection2: f32,
  epsilon: f32,
): bool {
  const r = f32x4.splat(replicas);
  const b1 = f32x4.splat(beta1);
  const c1 = f32x4.splat(oneMinusBeta1);
  const b2 = f32x4.splat(beta2);
  const c2 = f32x4.splat(oneMinusBeta2);
  const step = f32x4.splat(stepSize);
  const root = f32x4.splat(rootCorrection2);
  const eps = f32x4.splat(epsilon);
  const limit = f32x4.splat(Infinity);
  let finite = i32x4.splat(-1);
  const whole = (<usize>(count & ~3)) << 2;
  const end = (<usize>count) << 2;
  let at: usize = 0;
  for (; at < whole; at += 16) {
    const g = f32x4.div(v128.load(sum + at), r);
    const m = f32x4.add(f32x4.mul(b1, v128.load(firstMoments + at)), f32x4.mul(c1, g));
    const v = f32x4.add(f32x4.mul(b2, v128.load(secondMoments + at)), f32x4.mul(c2, f32x4.mul(g, g)));
    v128.store(newFirstMoments + at, m);
    v128.store(newSecondMoments + at, v);
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v), root), eps);
    const p = f32x4.sub(v128.load(parameters + at), f32x4.div(f32x4.mul(step, m), denominator));
    v128.store(newParameters + at, p);
    finite = v128.and(finite, v128.and(f32x4.lt(f32x4.abs(p), limit), f32x4.lt(v, limit)));
  }
  let rest = i32x4.all_true(finite);
  for (; at < end; at += 4) {
    const g = load<f32>(sum + at) / replicas;
    const m = beta1 * load<f32>(firstMoments + at) + oneMinusBeta1 * g;
    const v = beta2 * load<f32>(secondMoments + at) + oneMinusBeta2 * (g * g);
    store<f32>(newFirstMoments + at, m);
    store<f32>(newSecondMoments + at, v);
    const denominator = Mathf.sqrt(v) / rootCorrection2 + epsilon;
    const p = load<f32>(parameters + at) - (stepSize * m) / denominator;
    store<f32>(newParameters + at, p);
    rest = rest && abs<f32>(p) < Infinity && v < Infinity;
  }
  return rest;
}

/**
 * moved = running + momentum * (sum / replicas - running): batch norm's running averages, in place or into another copy.
 */
export function moveAverages(moved: usize, running: usize, sum: usize, count: u32, replicas: f32, momentum: f32): void {
  const r = f32x4.splat(replicas);
  const k = f32x4.splat(momentum);
  const bytes = (<usize>count) << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    const old = v128.load(running + at);
    v128.store(moved + at, f32x4.add(old, f32x4.mul(k, f32x4.sub(f32x4.div(v128.load(sum + at), r), old))));
  }
}
