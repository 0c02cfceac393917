/*
 * The two passes of imresize over rows of 8-bit RGB, with weights in whole numbers of 2^-14. An output is the sum of its taps times their
 * weights, rounded halves upwards and clamped to 0..255. Addresses and strides are in bytes; indices are 32-bit and count rows or
 * pixels of the source; weights are 16-bit. `taps` is a multiple of 4. Up to 16 bytes after the source may be read and as many after the target written.
 */

const pixelBytes: usize = 3;
const shift: i32 = 14;

/** Each output row is a weighted sum of source rows. */
export function resizeRows(
  source: usize,
  strideBytes: usize,
  target: usize,
  height: u32,
  indices: usize,
  weights: usize,
  taps: u32,
): void {
  const half = i32x4.splat(1 << (shift - 1));
  for (let y: u32 = 0; y < height; y++, target += strideBytes) {
    // What the last block writes after its row, the next row replaces.
    for (let x: usize = 0; x < strideBytes; x += 16) {
      let sum0 = half;
      let sum1 = half;
      let sum2 = half;
      let sum3 = half;
      for (let t: u32 = 0; t < taps; t += 2) {
        const index = indices + ((<usize>t) << 2);
        const a = v128.load(source + <usize>load<u32>(index) * strideBytes + x);
        const b = v128.load(source + <usize>load<u32>(index, 4) * strideBytes + x);
        const pair = i32x4.splat(load<i32>(weights + ((<usize>t) << 1)));
        const low = i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const high = i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        sum0 = i32x4.add(sum0, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(low), pair));
        sum1 = i32x4.add(sum1, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(low), pair));
        sum2 = i32x4.add(sum2, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(high), pair));
        sum3 = i32x4.add(sum3, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(high), pair));
      }
      const first = i16x8.narrow_i32x4_s(i32x4.shr_s(sum0, shift), i32x4.shr_s(sum1, shift));
      const second = i16x8.narrow_i32x4_s(i32x4.shr_s(sum2, shift), i32x4.shr_s(sum3, shift));
      v128.store(target + x, i8x16.narrow_i16x8_u(first, second));
    }
    indices += (<usize>taps) << 2;
    weights += (<usize>taps) << 1;
  }
}

/** Each output pixel is a weighted sum of source pixels of its row. `scratch` has room for 16 bytes. */
export function resizeColumns(
  source: usize,
  strideBytes: usize,
  target: usize,
  width: u32,
  height: u32,
  indices: usize,
  weights: usize,
  taps: u32,
  scratch: usize,
): void {
  const half = i32x4.splat(1 << (shift - 1));
  const all = width * taps;
  for (let y: u32 = 0; y < height; y++, source += strideBytes) {
    for (let first: u32 = 0; first < all; first += taps, target += pixelBytes) {
      let sum = half;
      for (let t: u32 = first; t < first + taps; t += 4) {
        const pixels = loadFour(source, indices + ((<usize>t) << 2), scratch);
        // Red, green and blue of two pixels side by side, then of the two after them.
        const pairs = i8x16.shuffle(pixels, i32x4.splat(0), 0, 3, 1, 4, 2, 5, 16, 16, 6, 9, 7, 10, 8, 11, 16, 16);
        const weight = weights + ((<usize>t) << 1);
        sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(pairs), v128.load32_splat(weight)));
        sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(pairs), v128.load32_splat(weight, 4)));
      }
      const narrow = i16x8.narrow_i32x4_s(i32x4.shr_s(sum, shift), sum);
      // The fourth byte is replaced by the next pixel.
      store<u32>(target, i32x4.extract_lane(i8x16.narrow_i16x8_u(narrow, narrow), 0));
    }
  }
}

/** The pixels of four taps in the first 12 bytes. At the edges, where pixels repeat, they are gathered. */
function loadFour(row: usize, indices: usize, scratch: usize): v128 {
  const begin = load<u32>(indices);
  if (load<u32>(indices, 12) == begin + 3) return v128.load(row + <usize>begin * pixelBytes);
  for (let i: usize = 0; i < 4; i++) {
    const index = <usize>load<u32>(indices + (i << 2));
    store<u32>(scratch + i * pixelBytes, load<u32>(row + index * pixelBytes));
  }
  return v128.load(scratch);
}
