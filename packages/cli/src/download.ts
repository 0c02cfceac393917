import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FourfoldError } from '@fourfold/common';
import { partialId, partialName, type ObjectStore } from '@fourfold/store';

/** Whether a file's name is that of an unfinished download: the object's name and the beginning of its hash. */
export const isDownload = (name: string): boolean => /.-[0-9a-f]{16}$/.test(partialId(name) ?? '');

/**
 * Copy an object into a folder; it gets its own name once it is complete and has the expected SHA-256. An unfinished download
 * is resumed; returns how many bytes that saved. `onBytes` gets the number of bytes that have arrived, and a negative number
 * for those found damaged. Throws `corrupt`, `not-found`.
 */
export async function downloadFile(
  store: ObjectStore,
  key: string,
  expected: { sizeBytes: number; sha256: string },
  folder: string,
  onBytes: (bytes: number) => void,
): Promise<number> {
  const path = join(folder, key);
  const whole = await hashOf(path);
  if (whole.sizeBytes === expected.sizeBytes && whole.hash.digest('hex') === expected.sha256) {
    onBytes(whole.sizeBytes);
    return whole.sizeBytes;
  }
  // The hash in the name: a download of another object is not resumed.
  const partial = join(folder, partialName(`${key}-${expected.sha256.slice(0, 16)}`));
  for (;;) {
    const { hash, sizeBytes: begin } = await hashOf(partial);
    onBytes(begin);
    if (begin < expected.sizeBytes) await append(store, key, begin, partial, hash, onBytes);
    if (hash.digest('hex') === expected.sha256) {
      await rename(partial, path);
      return begin;
    }
    onBytes(-(await stat(partial)).size);
    await rm(partial);
    // Otherwise the resumed part may be damaged: try once more from the start.
    if (begin === 0) throw damaged(`${store.url}/${key}`);
  }
}

async function append(
  store: ObjectStore,
  key: string,
  begin: number,
  path: string,
  hash: Hash,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const source = async function* () {
    for await (const chunk of store.read(key, begin)) {
      hash.update(chunk);
      onBytes(chunk.byteLength);
      yield chunk;
    }
  };
  try {
    await pipeline(source, createWriteStream(path, { flags: 'a', flush: true }));
  } catch (error) {
    const left = await stat(path).catch(() => undefined);
    if (left?.size === 0) await rm(path, { force: true });
    throw error;
  }
}

/** Size and SHA-256 of a file; of nothing if it does not exist. */
export async function hashOf(path: string): Promise<{ hash: Hash; sizeBytes: number }> {
  const hash = createHash('sha256');
  const found = await stat(path).catch(() => undefined);
  if (found) for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { hash, sizeBytes: found?.size ?? 0 };
}

const damaged = (name: string) =>
  new FourfoldError('corrupt', `${name} is damaged: its SHA-256 is not the manifest's`, {
    hint: 'use another checkpoint of the run',
  });
