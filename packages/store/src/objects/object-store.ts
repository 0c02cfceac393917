import { fileURLToPath } from 'node:url';
import { FourfoldError, absoluteStoreUrl, folderOf, parseS3Url, sha256 } from '@fourfold/common';
import { createFolderStore } from './folder-store.js';
import { openS3Store } from './s3/open.js';
import type { ObjectStore } from './types.js';

/**
 * Open a store by URL: `s3://bucket/path` for an S3 service, which the environment names (docs/architecture.md). `file:` URLs and plain
 * paths are folders, relative to the working directory; `~` is the user's home. Throws `invalid` for other schemes.
 */
export function openStore(url: string): ObjectStore {
  const place = parseS3Url(url);
  return place ? openS3Store(place) : createFolderStore(folderOf(url));
}

/** The path on this machine that a store's URL names; undefined for a place in a bucket. */
export function localPath(url: string): string | undefined {
  const absolute = absoluteStoreUrl(url);
  return absolute.startsWith('file:') ? fileURLToPath(absolute) : undefined;
}

/** Read an object as JSON. Throws `corrupt` if it is not JSON. */
export async function getJson(store: ObjectStore, key: string): Promise<unknown> {
  const body = await store.get(key);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new FourfoldError('corrupt', `${store.url}/${key} is not JSON`, { cause });
  }
}

/** Read an object and check its SHA-256. Throws `corrupt` if it differs. */
export async function getVerified(store: ObjectStore, key: string, expectedSha256: string): Promise<Buffer> {
  const body = await store.get(key);
  const actual = sha256(body);
  if (actual !== expectedSha256) throw damagedError(`${store.url}/${key}`, actual, expectedSha256);
  return body;
}

/** Whether an object is missing or damaged, rather than out of reach. */
export const isMissingOrCorrupt = (error: unknown): boolean =>
  error instanceof FourfoldError && (error.code === 'not-found' || error.code === 'corrupt');

/** What is read; undefined if it is missing or damaged. Throws if it is out of reach. */
export async function unlessLost<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isMissingOrCorrupt(error)) return undefined;
    throw error;
  }
}

/** The error for an object `name` whose SHA-256 differs from its manifest's. */
export function damagedError(name: string, actualSha256: string, expectedSha256: string): FourfoldError {
  const hashes = `its SHA-256 is ${actualSha256.slice(0, 12)}..., the manifest says ${expectedSha256.slice(0, 12)}...`;
  return new FourfoldError('corrupt', `${name} is damaged: ${hashes}`, {
    hint: 'restore the object from a copy or write it again',
  });
}
