import type { PairTarget } from './crop-pair.js';

/** The training pairs of one replica at one iteration: `count` crops end to end, each NHWC uint8 RGB. */
export interface Batch {
  count: number;
  /** Side of an HR crop in pixels. */
  crop: number;
  /** [count, crop, crop, 3] */
  hr: Uint8Array;
  /** [count, crop / 4, crop / 4, 3] */
  lr: Uint8Array;
}

/** Room in a batch's buffer before its pixels and after them, for what a message has there: it is then sent without a copy. */
export const batchRoom = { beforeBytes: 256, afterBytes: 2 };

/** An empty batch: LR, then HR, in one buffer with room around them. */
export function createBatch(count: number, crop: number): Batch {
  const pixelBytes = (count * crop * crop * 3 * 17) / 16;
  const { beforeBytes, afterBytes } = batchRoom;
  return batchIn(new Uint8Array(beforeBytes + pixelBytes + afterBytes), beforeBytes, { count, crop });
}

/** The batch whose pixels begin at `begin`. */
export function batchIn(bytes: Uint8Array, begin: number, { count, crop }: Pick<Batch, 'count' | 'crop'>): Batch {
  const hrBytes = count * crop * crop * 3;
  const hrBegin = begin + hrBytes / 16;
  return { count, crop, hr: bytes.subarray(hrBegin, hrBegin + hrBytes), lr: bytes.subarray(begin, hrBegin) };
}

/** Where a batch's pairs go, in their order. */
export function pairsOf({ count, hr, lr }: Batch): PairTarget[] {
  const part = (of: Uint8Array, i: number) => of.subarray((i * of.length) / count, ((i + 1) * of.length) / count);
  return Array.from({ length: count }, (_, i) => ({ hr: part(hr, i), lr: part(lr, i) }));
}
