import { randomStream } from '@fourfold/common';

/*
 * Vectors for tests of the updater.
 */

/** The bytes of a vector, not copied. */
export const bytesOf = (values: Float32Array): Buffer =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/** Values between -1 and 1, the same for the same keys. */
export function randomVector(length: number, ...keys: (string | number)[]): Float32Array {
  const stream = randomStream(...keys);
  return Float32Array.from({ length }, () => stream.float() * 2 - 1);
}
