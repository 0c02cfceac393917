/*
 * The coordinator's arithmetic. IEEE float32 in SIMD lanes, each operation rounded by itself (WebAssembly has no fused
 * multiply-add), so every host computes the same bits. Addresses are bytes in the shared memory, counts are elements.
 * Where nothing else is said, up to three elements behind a range are read and written, too: vectors end in padding.
 */

/** Whether all elements are finite: x - x is 0 for a finite x and NaN for an infinity or a NaN. */
export function allFinite(source: usize, count: u32): bool {
  const zero = f32x4.splat(0);
  let strange = i32x4.splat(0);
  const end = source + ((<usize>count) << 2);
  for (let at = source; at < end; at += 16) {
    const x = v128.load(at);
    strange = v128.or(strange, f32x4.ne(f32x4.sub(x, x), zero));
  }
  return !v128.any_true(strange);
}

/** sum[i] = source[i] for the first replica, sum[i] += source[i] for the others. */
export function accumulate(sum: usize, source: usize, count: u32, first: bool): void {
  if (first) {
    memory.copy(sum, source, (<usize>count) << 2);
    return;
  }
  const end = source + ((<usize>count) << 2);
  for (; source < end; source += 16, sum += 16) {
    v128.store(sum, f32x4.add(v128.load(sum), v128.load(source)));
  }
}

/**
 * Adam (Kingma and Ba 2015, algorithm 1) in PyTorch's order of operations: with g = sum / replicas,
 * m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, p = p - stepSize * m / (sqrt(v) / rootCorrection2 + epsilon),
 * where stepSize = learningRate / (1 - beta1^t) and rootCorrection2 = sqrt(1 - beta2^t). Touches nothing behind its range.
 */
export function adam(
  parameters: usize,
  firstMoments: usize,
  secondMoments: usize,
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
): void {
  const r = f32x4.splat(replicas);
  const b1 = f32x4.splat(beta1);
  const c1 = f32x4.splat(oneMinusBeta1);
  const b2 = f32x4.splat(beta2);
  const c2 = f32x4.splat(oneMinusBeta2);
  const step = f32x4.splat(stepSize);
  const root = f32x4.splat(rootCorrection2);
  const eps = f32x4.splat(epsilon);
  const whole = (<usize>(count & ~3)) << 2;
  const end = (<usize>count) << 2;
  let at: usize = 0;
  for (; at < whole; at += 16) {
    const g = f32x4.div(v128.load(sum + at), r);
    const m = f32x4.add(f32x4.mul(b1, v128.load(firstMoments + at)), f32x4.mul(c1, g));
    const v = f32x4.add(f32x4.mul(b2, v128.load(secondMoments + at)), f32x4.mul(c2, f32x4.mul(g, g)));
    v128.store(firstMoments + at, m);
    v128.store(secondMoments + at, v);
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v), root), eps);
    v128.store(parameters + at, f32x4.sub(v128.load(parameters + at), f32x4.div(f32x4.mul(step, m), denominator)));
  }
  for (; at < end; at += 4) {
    const g = load<f32>(sum + at) / replicas;
    const m = beta1 * load<f32>(firstMoments + at) + oneMinusBeta1 * g;
    const v = beta2 * load<f32>(secondMoments + at) + oneMinusBeta2 * (g * g);
    store<f32>(firstMoments + at, m);
    store<f32>(secondMoments + at, v);
    const denominator = Mathf.sqrt(v) / rootCorrection2 + epsilon;
    store<f32>(parameters + at, load<f32>(parameters + at) - (stepSize * m) / denominator);
  }
}

/** running = running + momentum * (sum / replicas - running): batch-norm's running averages. */
export function moveAverages(running: usize, sum: usize, count: u32, replicas: f32, momentum: f32): void {
  const r = f32x4.splat(replicas);
  const k = f32x4.splat(momentum);
  const bytes = (<usize>count) << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    const old = v128.load(running + at);
    v128.store(running + at, f32x4.add(old, f32x4.mul(k, f32x4.sub(f32x4.div(v128.load(sum + at), r), old))));
  }
}
