/*
 * Deltas: what is added to a vector, in 8 bits an element. They come in blocks of 256 elements: a float32 scale, then the elements as
 * multiples of it from -127 to 127; the last block is shorter. Addresses are in bytes, counts in elements. A vector's elements after
 * the count are not touched.
 */

/** Elements of a block. `blockElements` in packages/weights/src/delta-layout.ts. */
export const blockElements: u32 = 256;
/** Bytes of a block's scale. */
export const scaleBytes: usize = 4;

/** to[i] = from[i] + multiple[i] * scale, the product and the sum rounded separately. The two vectors may be the same. */
export function applyDeltas(from: usize, to: usize, deltas: usize, count: u32): void {
  for (let done: u32 = 0; done < count; done += blockElements) {
    const elements = min(blockElements, count - done);
    const at = (<usize>done) << 2;
    applyBlock(from + at, to + at, deltas, elements);
    deltas += scaleBytes + blockElements;
  }
}

/** The same for one block. */
export function applyBlock(from: usize, to: usize, block: usize, count: u32): void {
  const scale = load<f32>(block);
  const scales = f32x4.splat(scale);
  let multiple = block + scaleBytes;
  const end = multiple + <usize>count;
  const whole = multiple + <usize>(count & ~7);
  for (; multiple < whole; multiple += 8, from += 32, to += 32) {
    const eight = i16x8.extend_low_i8x16_s(v128.load64_zero(multiple));
    const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight));
    const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(eight));
    v128.store(to, f32x4.add(v128.load(from), f32x4.mul(low, scales)));
    v128.store(to, f32x4.add(v128.load(from, 16), f32x4.mul(high, scales)), 16);
  }
  for (; multiple < end; multiple += 1, from += 4, to += 4) {
    store<f32>(to, load<f32>(from) + <f32>load<i8>(multiple) * scale);
  }
}
