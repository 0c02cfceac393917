import { posix } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import type { S3Connection } from './connection.js';

/** Where a store's objects lie: below `prefix` in a bucket. */
export interface S3Place {
  attempt: S3Connection['attempt'];
  bucket: string;
  prefix: string;
  url: string;
  /** The object's path in the bucket. Throws `invalid` for a key that leads out of the prefix. */
  pathOf: (key: string) => string;
  /** The object's name in messages. */
  nameOf: (key: string) => string;
}

export function s3Place({ attempt }: S3Connection, bucket: string, prefix: string): S3Place {
  const url = `s3://${posix.join(bucket, prefix)}`;
  return {
    attempt,
    bucket,
    prefix,
    url,
    pathOf(key) {
      const path = posix.normalize(key);
      if (path === '..' || path.startsWith('../') || path.startsWith('/')) {
        throw new FourfoldError('invalid', `object key ${key} leads out of ${url}`);
      }
      return posix.join(prefix, path);
    },
    nameOf: (key) => `${url}/${key}`,
  };
}
