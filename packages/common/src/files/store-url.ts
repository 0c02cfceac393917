import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { FourfoldError } from '../errors/errors.js';
import { expandHome } from './home.js';

/*
 * Names of object stores: `s3://bucket/path`, `file:` URLs and plain paths.
 */

/** The bucket and path of an `s3://bucket/path` URL; undefined for URLs of another scheme. Throws `invalid`. */
export function parseS3Url(url: string): { bucket: string; path: string } | undefined {
  if (!url.startsWith('s3:')) return undefined;
  const [, bucket, rest] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(url) ?? [];
  const path = (rest ?? '').split('/').filter((part) => part !== '');
  if (!bucket || path.some((part) => part === '.' || part === '..')) {
    const bucketRule = 'a bucket has 3 to 63 lower-case letters, digits, dots and hyphens';
    throw new FourfoldError('invalid', `object store ${url}: it must look like s3://bucket/path; ${bucketRule}`);
  }
  return { bucket, path: path.join('/') };
}

/** The folder that a `file:` URL or a plain path names. */
export function folderOf(url: string): string {
  if (url.startsWith('file:///')) return fileURLToPath(url);
  if (url.startsWith('file:')) return resolve(expandHome(url.slice('file:'.length)));
  if (/^[a-z0-9+.-]+:\/\//i.test(url)) {
    throw new FourfoldError(
      'invalid',
      `object store ${url}: only folders (file: URLs and paths) and s3: URLs are supported`,
      {
        hint: 'name a folder or s3://bucket/path',
      },
    );
  }
  return resolve(expandHome(url));
}

/** A folder as an absolute `file:` URL. */
export const folderUrl = (path: string): string => pathToFileURL(resolve(path)).href;

/** Absolute form of a store's URL, which means the same place in any working directory. */
export function absoluteStoreUrl(url: string): string {
  const place = parseS3Url(url);
  return place ? `s3://${[place.bucket, place.path].filter(Boolean).join('/')}` : folderUrl(folderOf(url));
}
