/*
 * Conversion of float32 to bfloat16, its upper half, and back. Addresses are in bytes, counts in elements. Nothing beyond a range is
 * touched.
 */

const halfUlp: u32 = 0x7fff;
/** Keeps a NaN whose payload lies in the lower half a NaN. */
const quietBit: u32 = 0x40;

/** Round to nearest, ties to even; values beyond the largest finite one become infinite. */
export function roundToBf16(source: usize, target: usize, count: u32): void {
  const end = source + ((<usize>count) << 2);
  const whole = source + ((<usize>(count & ~7)) << 2);
  for (; source < whole; source += 32, target += 16) {
    v128.store(target, i16x8.narrow_i32x4_u(roundedLanes(v128.load(source)), roundedLanes(v128.load(source, 16))));
  }
  for (; source < end; source += 4, target += 2) store<u16>(target, <u16>roundedBits(load<u32>(source)));
}

/** Round to bfloat16 as `roundToBf16` does, in place: the results are float32. */
export function roundInPlace(vector: usize, count: u32): void {
  const end = vector + ((<usize>count) << 2);
  const whole = vector + ((<usize>(count & ~3)) << 2);
  for (; vector < whole; vector += 16) v128.store(vector, i32x4.shl(roundedLanes(v128.load(vector)), 16));
  for (; vector < end; vector += 4) store<u32>(vector, roundedBits(load<u32>(vector)) << 16);
}

function roundedBits(x: u32): u32 {
  const isNaN = (x & 0x7fffffff) > 0x7f800000;
  return isNaN ? (x >> 16) | quietBit : (x + halfUlp + ((x >> 16) & 1)) >> 16;
}

function roundedLanes(x: v128): v128 {
  const upper = i32x4.shr_u(x, 16);
  const odd = v128.and(upper, i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(x, i32x4.splat(halfUlp)), odd), 16);
  return v128.bitselect(v128.or(upper, i32x4.splat(quietBit)), rounded, f32x4.ne(x, x));
}

/** Exact: each bfloat16 is a float32. */
export function widenBf16(source: usize, target: usize, count: u32): void {
  const end = source + ((<usize>count) << 1);
  const whole = source + ((<usize>(count & ~7)) << 1);
  for (; source < whole; source += 16, target += 32) {
    const x = v128.load(source);
    v128.store(target, i32x4.shl(i32x4.extend_low_i16x8_u(x), 16));
    v128.store(target, i32x4.shl(i32x4.extend_high_i16x8_u(x), 16), 16);
  }
  for (; source < end; source += 2, target += 4) store<u32>(target, (<u32>load<u16>(source)) << 16);
}
