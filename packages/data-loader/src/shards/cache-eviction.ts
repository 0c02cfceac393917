import { open, rm } from 'node:fs/promises';
import { listCache } from './cache-folder.js';
import { hashFile } from './held-file.js';

/** Partial files of killed processes are removed after this. A file whose time is this far in the future is not being fetched either. */
const abandonedMs = 3_600_000;

/** Files whose content does not match their names, or that this user may not remove. */
const foreign = new Set<string>();

/**
 * Remove the least recently used files until at most `limitBytes` are left, and the partial files of killed processes. `onForeign` is
 * called once for a file that stays and does not count: its content does not match its name, or it could not be removed (`cause`).
 */
export async function makeRoom(
  folder: string,
  limitBytes: number,
  isUsed: (path: string) => boolean,
  onForeign: (path: string, cause?: unknown) => void,
): Promise<void> {
  const files = (await listCache(folder)).filter(({ path }) => !foreign.has(path));
  let total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const { path, sha256, isPartial, sizeBytes, modifiedMs } of files) {
    const isOld = Math.abs(Date.now() - modifiedMs) > abandonedMs;
    if (isPartial ? !isOld : total <= limitBytes || isUsed(path)) continue;
    total -= sizeBytes;
    const leave = (cause?: unknown) => {
      foreign.add(path);
      onForeign(path, cause);
    };
    // In a folder of several users, each may remove only their own files.
    if (isPartial || (await hasHash(path, sha256))) await rm(path, { force: true }).catch(leave);
    else leave();
  }
}

async function hasHash(path: string, sha256: string): Promise<boolean> {
  const handle = await open(path).catch(() => undefined);
  if (!handle) return false;
  try {
    return (await hashFile(handle).catch(() => undefined)) === sha256;
  } finally {
    await handle.close();
  }
}
