import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** An open file, which its user closes. */
export interface HeldFile {
  handle: FileHandle;
  close(): Promise<void>;
}

const readBytes = 1 << 20;

/** The file's content from its begin; the file stays open. */
export const readFrom = (handle: FileHandle) =>
  handle.createReadStream({ start: 0, autoClose: false, highWaterMark: readBytes });

/** Lower-case hexadecimal SHA-256 of a file's content. */
export async function hashFile(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of readFrom(handle)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
