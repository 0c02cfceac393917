import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, type Environment } from '@fourfold/common';
import { isUniquePartial, partialName } from '@fourfold/store';

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
  /** The time of its last use: its access time, which each opening sets. */
  usedMs: number;
}

const cacheName = /^([0-9a-f]{64})(\..+)$/;

/** The cache's folder if a config names none. */
export const userCacheFolder = (environment: Environment): string => join(cacheFolder(environment), 'shards');

export const shardPath = (folder: string, sha256: string): string => join(folder, `${sha256}.tar`);
export const partialPath = (folder: string, sha256: string): string => join(folder, `${sha256}${partialName()}`);

/** The files of a cache, recognised by name, least recently used first. */
export async function listCache(folder: string): Promise<CacheFile[]> {
  const names = await readdir(folder);
  const files = names.map(async (name): Promise<CacheFile[]> => {
    const [, sha256, kind] = cacheName.exec(name) ?? [];
    if (kind !== '.tar' && !(kind && isUniquePartial(kind))) return [];
    const path = join(folder, name);
    // Another process may remove it at any time.
    const found = await lstat(path).catch(() => undefined);
    if (!found?.isFile()) return [];
    return [
      {
        path,
        sha256,
        isPartial: kind !== '.tar',
        sizeBytes: found.size,
        modifiedMs: found.mtimeMs,
        usedMs: found.atimeMs,
      },
    ];
  });
  return (await Promise.all(files)).flat().sort((a, b) => a.usedMs - b.usedMs);
}
