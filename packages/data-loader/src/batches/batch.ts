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

/** An empty batch, LR and HR in one buffer. */
export function createBatch(count: number, crop: number): Batch {
  const hrBytes = count * crop * crop * 3;
  const lrBytes = hrBytes / 16;
  const buffer = new ArrayBuffer(lrBytes + hrBytes);
  return { count, crop, hr: new Uint8Array(buffer, lrBytes, hrBytes), lr: new Uint8Array(buffer, 0, lrBytes) };
}

/** Where a batch's pairs go, in their order. */
export function pairsOf({ count, hr, lr }: Batch): PairTarget[] {
  const part = (of: Uint8Array, i: number) => of.subarray((i * of.length) / count, ((i + 1) * of.length) / count);
  return Array.from({ length: count }, (_, i) => ({ hr: part(hr, i), lr: part(lr, i) }));
}
