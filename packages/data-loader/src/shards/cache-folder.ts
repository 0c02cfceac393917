import { lstat, open, readdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '@fourfold/common';
import { hashFile } from './held-file.js';

/*
 * A shard cache's folder holds SHA256.tar, and SHA256.partial-UUID while a shard is fetched. Anything else (another name, not a plain
 * file, or content that does not match the name) belongs to somebody else: it does not count and is never removed.
 */

export interface CacheFile {
  path: string;
  /** The shard's, from the name. */
  sha256: string;
  /** Still being fetched, or left by a killed process. */
  isPartial: boolean;
  sizeBytes: number;
  modifiedMs: number;
}

const cacheName = /^([0-9a-f]{64})\.(tar|partial-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
/** Partial files of killed processes are removed after this. A file whose time is this far in the future is not being fetched either. */
const abandonedMs = 3_600_000;

/** The cache's folder if a config names none. */
export const userCacheFolder = (environment: Environment): string =>
  join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'fourfold', 'shards');

export const shardPath = (folder: string, sha256: string): string => join(folder, `${sha256}.tar`);
export const partialPath = (folder: string, sha256: string, id: string): string =>
  join(folder, `${sha256}.partial-${id}`);

/** The files of a cache, recognised by name, least recently used first. */
export async function listCache(folder: string): Promise<CacheFile[]> {
  const names = await readdir(folder);
  const files = names.map(async (name): Promise<CacheFile[]> => {
    const [, sha256, kind] = cacheName.exec(name) ?? [];
    if (!sha256) return [];
    const path = join(folder, name);
    // Another process may remove it at any time.
    const found = await lstat(path).catch(() => undefined);
    if (!found?.isFile()) return [];
    return [{ path, sha256, isPartial: kind !== 'tar', sizeBytes: found.size, modifiedMs: found.mtimeMs }];
  });
  return (await Promise.all(files)).flat().sort((a, b) => a.modifiedMs - b.modifiedMs);
}

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
