import { downscale, decodePicture } from '@fourfold/imaging';

/** How an official LR picture differs from ours. */
export interface PairDifference {
  /** Values (channels of pixels) that differ, of how many; all of them if the sizes differ. */
  values: number;
  of: number;
  /** In grey levels. */
  largest: number;
  reason?: string;
}

/**
 * Compare an official LR picture with our own of the same photograph, bit for bit. Throws `invalid` with the reason for a picture
 * that cannot be decoded.
 */
export async function comparePair(photograph: Buffer, lr: Buffer): Promise<PairDifference> {
  const [original, theirs] = await Promise.all([decodePicture(photograph), decodePicture(lr)]);
  const ours = downscale(original, 0);
  const of = ours.data.length;
  if (ours.width !== theirs.width || ours.height !== theirs.height) {
    const reason = `it is ${theirs.width}x${theirs.height}, a quarter of the photograph is ${ours.width}x${ours.height}`;
    return { values: of, of, largest: 255, reason };
  }
  let values = 0;
  let largest = 0;
  for (let i = 0; i < of; i++) {
    const difference = Math.abs(ours.data[i] - theirs.data[i]);
    if (difference === 0) continue;
    values++;
    largest = Math.max(largest, difference);
  }
  return { values, of, largest };
}
