import type { StateFile } from './state-files.js';
import type { Updater } from './types.js';

/** Memory for copies of a checkpoint's files, to be used again. */
export type SnapshotMemory = Map<string, Uint8Array<SharedArrayBuffer>>;

/** Copy files into memory, by the updater's threads, beside their other work. The vectors must not change meanwhile. */
export async function copyFiles(
  files: readonly StateFile[],
  memory: SnapshotMemory,
  updater: Pick<Updater, 'copy'>,
): Promise<Record<string, Uint8Array>> {
  const copies: Record<string, Uint8Array> = {};
  for (const { name, head, vectors } of files) {
    const sizeBytes = vectors.reduce((sum, { byteLength }) => sum + byteLength, head.byteLength);
    const kept = memory.get(name);
    const copy = kept?.byteLength === sizeBytes ? kept : new Uint8Array(new SharedArrayBuffer(sizeBytes));
    memory.set(name, copy);
    copy.set(head);
    let position = head.byteLength;
    for (const vector of vectors) {
      await updater.copy(vector, copy.subarray(position, position + vector.byteLength));
      position += vector.byteLength;
    }
    copies[name] = copy;
  }
  return copies;
}
