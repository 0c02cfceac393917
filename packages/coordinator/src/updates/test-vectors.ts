import { randomStream } from '@fourfold/common';
import type { MasterState, UpdateNumbers, Updater } from './types.js';

/*
 * Vectors and updates for tests of the updater.
 */

/** The bytes of a vector, not copied. */
export const bytesOf = (values: Float32Array): Buffer =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/** Values between -1 and 1, the same for the same keys. */
export function randomVector(length: number, ...keys: (string | number)[]): Float32Array {
  const stream = randomStream(...keys);
  return Float32Array.from({ length }, () => stream.float() * 2 - 1);
}

/** One update, staged and committed. Rejects if a result is not finite. */
export async function apply(updater: Updater, state: MasterState, update: UpdateNumbers): Promise<void> {
  const bad = await updater.stage(state, update).finish();
  if (bad !== undefined) throw new Error(`element ${bad} is not finite`);
  state.commit();
}
