import { createHash } from 'node:crypto';
import { fstatSync, type BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** An open file, which its user closes. */
export interface HeldFile {
  handle: FileHandle;
  close(this: void): Promise<void>;
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

/** What was found in files, by inode, size and time of the last change. */
const known = new Map<string, string>();

const identity = ({ dev, ino, size, mtimeNs }: BigIntStats): string => [dev, ino, size, mtimeNs].join(' ');

const identityOf = async (handle: FileHandle): Promise<string> => identity(await handle.stat({ bigint: true }));

/** Tells a file's content from later ones, at once. */
export const identityNow = ({ fd }: FileHandle): string => identity(fstatSync(fd, { bigint: true }));

/** SHA-256 of a file's content, which is read only if this process has not yet done so. */
export async function hashOnce(handle: FileHandle): Promise<string> {
  const found = await identityOf(handle);
  const before = known.get(found);
  if (before !== undefined) return before;
  const sha256 = await hashFile(handle);
  // A file that changes while it is read has another identity afterwards.
  if ((await identityOf(handle)) === found) known.set(found, sha256);
  return sha256;
}

/** Note the SHA-256 of a file that this process has just written. */
export async function noteHash(handle: FileHandle, sha256: string): Promise<void> {
  known.set(await identityOf(handle), sha256);
}
