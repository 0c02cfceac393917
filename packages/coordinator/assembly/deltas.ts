import { applyBlock, blockElements, scaleBytes } from '../../rpc/assembly/deltas';

/*
 * The differences between the master's parameters and what workers hold, their view, as deltas (rpc/assembly/deltas.ts).
 */

/** The largest multiple of a block's scale. */
const most: f32 = 127;

/**
 * Round master - view to deltas, and add them to the view: the result, in `newView`, is what workers hold then. A block's scale is its
 * largest difference divided by 127; an element is the multiple nearest to its difference, ties to even. Where the scale is zero,
 * so are all elements. Returns false, with the rest undefined, if a difference is NaN or infinite.
 */
export function takeDeltas(master: usize, view: usize, newView: usize, deltas: usize, count: u32): bool {
  for (let done: u32 = 0; done < count; done += blockElements) {
    const elements = min(blockElements, count - done);
    const at = (<usize>done) << 2;
    const scale = largestDifference(master + at, view + at, elements) / most;
    if (!(scale < Infinity)) return false;
    store<f32>(deltas, scale);
    const multiples = deltas + scaleBytes;
    if (scale == 0) memory.fill(multiples, 0, <usize>elements);
    else takeMultiples(master + at, view + at, multiples, elements, scale);
    applyBlock(view + at, newView + at, deltas, elements);
    deltas += scaleBytes + blockElements;
  }
  return true;
}

function largestDifference(master: usize, view: usize, count: u32): f32 {
  let largest = f32x4.splat(0);
  const end = master + ((<usize>count) << 2);
  const whole = master + ((<usize>(count & ~3)) << 2);
  for (; master < whole; master += 16, view += 16) {
    largest = f32x4.max(largest, f32x4.abs(f32x4.sub(v128.load(master), v128.load(view))));
  }
  let result = max<f32>(
    max<f32>(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max<f32>(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
  for (; master < end; master += 4, view += 4) {
    result = max<f32>(result, abs<f32>(load<f32>(master) - load<f32>(view)));
  }
  return result;
}

function takeMultiples(master: usize, view: usize, target: usize, count: u32, scale: f32): void {
  const scales = f32x4.splat(scale);
  const end = target + <usize>count;
  const whole = target + <usize>(count & ~15);
  for (; target < whole; target += 16, master += 64, view += 64) {
    const first = i16x8.narrow_i32x4_s(
      fourMultiples(master, view, scales),
      fourMultiples(master + 16, view + 16, scales),
    );
    const second = i16x8.narrow_i32x4_s(
      fourMultiples(master + 32, view + 32, scales),
      fourMultiples(master + 48, view + 48, scales),
    );
    v128.store(target, i8x16.narrow_i16x8_s(first, second));
  }
  for (; target < end; target += 1, master += 4, view += 4) {
    const multiple = nearest<f32>((load<f32>(master) - load<f32>(view)) / scale);
    store<i8>(target, <i8>(<i32>max<f32>(-most, min<f32>(most, multiple))));
  }
}

/** A scale that is so small that it has lost bits gives more than 127. */
function fourMultiples(master: usize, view: usize, scales: v128): v128 {
  const multiples = f32x4.nearest(f32x4.div(f32x4.sub(v128.load(master), v128.load(view)), scales));
  return i32x4.trunc_sat_f32x4_s(f32x4.max(f32x4.splat(-most), f32x4.min(f32x4.splat(most), multiples)));
}
