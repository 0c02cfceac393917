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

/** Room before a batch's pixels for the header of the message that carries it. */
export const batchHeadroomBytes = 32;

/** An empty batch: LR, then HR, in one buffer, in which a message's header fits before them. */
export function createBatch(count: number, crop: number): Batch {
  const hrBytes = count * crop * crop * 3;
  return batchIn(new Uint8Array(batchHeadroomBytes + (hrBytes * 17) / 16), count, crop);
}

/** The batch whose pixels lie in `message` after the headroom. */
export function batchIn(message: Uint8Array, count: number, crop: number): Batch {
  const hrBytes = count * crop * crop * 3;
  const hrBegin = batchHeadroomBytes + hrBytes / 16;
  return { count, crop, hr: message.subarray(hrBegin), lr: message.subarray(batchHeadroomBytes, hrBegin) };
}

/** The headroom and the pixels of a batch that was made by `createBatch`, without a copy; undefined for another. */
export function messageOf({ hr, lr }: Batch): Uint8Array | undefined {
  const begin = lr.byteOffset - batchHeadroomBytes;
  const isOne = begin >= 0 && hr.buffer === lr.buffer && hr.byteOffset === lr.byteOffset + lr.length;
  return isOne ? new Uint8Array(lr.buffer, begin, batchHeadroomBytes + lr.length + hr.length) : undefined;
}

/** Where a batch's pairs go, in their order. */
export function pairsOf({ count, hr, lr }: Batch): PairTarget[] {
  const part = (of: Uint8Array, i: number) => of.subarray((i * of.length) / count, ((i + 1) * of.length) / count);
  return Array.from({ length: count }, (_, i) => ({ hr: part(hr, i), lr: part(lr, i) }));
}
