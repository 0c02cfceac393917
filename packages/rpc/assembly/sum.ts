import { widenBf16 } from './bf16';

/*
 * The sum of the replicas' gradients, in IEEE float32, as the coordinator adds them and as workers do along a chain. Addresses are in
 * bytes, counts in elements. Nothing beyond a range is touched.
 */

/**
 * A gradient's elements must be smaller than this, 2^63: Adam squares them, and an infinite second moment stays
 * infinite. The mean over replicas may be a few roundings larger.
 */
const usableBelow: f32 = 9.223372036854775808e18;

/**
 * Whether all elements can be used: no NaN, no infinity, none whose square overflows. Comparisons with NaN are false.
 */
export function allUsable(source: usize, count: u32): bool {
  const limit = f32x4.splat(usableBelow);
  let usable = i32x4.splat(-1);
  const end = source + ((<usize>count) << 2);
  const whole = source + ((<usize>(count & ~3)) << 2);
  for (; source < whole; source += 16) {
    usable = v128.and(usable, f32x4.lt(f32x4.abs(v128.load(source)), limit));
  }
  if (!i32x4.all_true(usable)) return false;
  for (; source < end; source += 4) if (!(abs<f32>(load<f32>(source)) < usableBelow)) return false;
  return true;
}

/** The exponent of 2^63 in a bfloat16. */
const unusableExponent: i16 = 0x5f00;

/** The same for bfloat16, by exponent: all ones means infinity or NaN. */
export function allUsableBf16(source: usize, count: u32): bool {
  const exponent = i16x8.splat(0x7f80);
  const least = i16x8.splat(unusableExponent);
  let strange = i16x8.splat(0);
  const end = source + ((<usize>count) << 1);
  const whole = source + ((<usize>(count & ~7)) << 1);
  for (; source < whole; source += 16) {
    strange = v128.or(strange, i16x8.ge_s(v128.and(v128.load(source), exponent), least));
  }
  if (v128.any_true(strange)) return false;
  for (; source < end; source += 2) if ((load<u16>(source) & 0x7f80) >= <i32>unusableExponent) return false;
  return true;
}

/** sum[i] = source[i] for the first replica, sum[i] += source[i] for the others. */
export function accumulate(sum: usize, source: usize, count: u32, first: bool): void {
  if (first) {
    memory.copy(sum, source, (<usize>count) << 2);
    return;
  }
  const end = source + ((<usize>count) << 2);
  const whole = source + ((<usize>(count & ~3)) << 2);
  for (; source < whole; source += 16, sum += 16) {
    v128.store(sum, f32x4.add(v128.load(sum), v128.load(source)));
  }
  for (; source < end; source += 4, sum += 4) store<f32>(sum, load<f32>(sum) + load<f32>(source));
}

/** The same from bfloat16. */
export function accumulateBf16(sum: usize, source: usize, count: u32, first: bool): void {
  if (first) {
    widenBf16(source, sum, count);
    return;
  }
  const end = source + ((<usize>count) << 1);
  const whole = source + ((<usize>(count & ~7)) << 1);
  for (; source < whole; source += 16, sum += 32) {
    const x = v128.load(source);
    const low = i32x4.shl(i32x4.extend_low_i16x8_u(x), 16);
    const high = i32x4.shl(i32x4.extend_high_i16x8_u(x), 16);
    v128.store(sum, f32x4.add(v128.load(sum), low));
    v128.store(sum, f32x4.add(v128.load(sum, 16), high), 16);
  }
  for (; source < end; source += 2, sum += 4) {
    store<f32>(sum, load<f32>(sum) + reinterpret<f32>((<u32>load<u16>(source)) << 16));
  }
}
