/*
 * Crops out of rows of 8-bit RGB. Addresses, steps and strides are in bytes.
 */

const pixelBytes: usize = 3;

/**
 * Copy a square of `side` pixels. `source` is the pixel that comes first in the result, `stepX` and `stepY` lead from a pixel to the one
 * that comes next in the result's row and column: a flip or a quarter turn is a choice of these. Nothing beyond the target is written; a
 * byte before or after the square may be read.
 */
export function copySquare(source: usize, stepX: isize, stepY: isize, target: usize, side: u32): void {
  const rowBytes = <usize>side * pixelBytes;
  for (let y: u32 = 0; y < side; y++, source += stepY, target += rowBytes) {
    if (stepX == <isize>pixelBytes) memory.copy(target, source, rowBytes);
    else copyRow(source, stepX, target, side);
  }
}

/** Four bytes are moved at a time: the next pixel replaces the fourth. */
function copyRow(source: usize, step: isize, target: usize, side: u32): void {
  const last = target + <usize>(side - 1) * pixelBytes;
  for (; target < last; source += step, target += pixelBytes) store<u32>(target, load<u32>(source));
  store<u16>(target, load<u16>(source));
  store<u8>(target, load<u8>(source, 2), 2);
}
