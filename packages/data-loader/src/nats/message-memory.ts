/*
 * Memory of long messages, used again: for every 64 MiB of buffers that a program leaves behind, V8 looks through its whole heap, which took
 * half of the time of receiving batches.
 */

const pageBytes = 4096;
const longestSpare = 8;

const lent = new WeakSet<ArrayBufferLike>();
const spare: Uint8Array[] = [];

/** So many bytes of any content. */
export function takeMemory(sizeBytes: number): Uint8Array {
  const found = spare.pop();
  const fits = found && found.length >= sizeBytes && found.length <= 2 * sizeBytes;
  const memory = fits ? found : Buffer.allocUnsafeSlow(Math.ceil(sizeBytes / pageBytes) * pageBytes);
  lent.add(memory.buffer);
  return memory.subarray(0, sizeBytes);
}

/** Give back the memory that `part` is in, if it was taken here: nobody reads it any more. */
export function giveMemoryBack({ buffer }: Uint8Array): void {
  if (lent.delete(buffer) && spare.length < longestSpare) spare.push(new Uint8Array(buffer));
}
