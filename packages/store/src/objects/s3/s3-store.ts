import assert from 'node:assert/strict';
import type { Client } from 'minio';
import { FourfoldError } from '@fourfold/common';
import type { ObjectInfo, ObjectStore } from '../types.js';
import { partSizeBytes, type S3Connection } from './connection.js';
import { s3Place, type S3Place } from './place.js';
import { putParts, putWhole } from './put-object.js';
import { readObject } from './read-object.js';

/** Tries for an object that is replaced faster than it is read, and for an upload that the service loses. */
const maxRestarts = 16;
const pageKeys = 1000;

/** An object store below `prefix` in a bucket, which is created by the first put. */
export function createS3Store(connection: S3Connection, bucket: string, prefix: string): ObjectStore {
  const place = s3Place(connection, bucket, prefix);
  const { attempt, url, pathOf, nameOf } = place;

  async function remove(key: string): Promise<void> {
    const path = pathOf(key);
    await attempt(nameOf(key), (client) => client.removeObject(bucket, path)).catch(emptyIfNotFound);
  }

  return {
    url,
    read: (key, begin = 0) => readObject(place, key, begin),
    async get(key) {
      for (let time = 1; ; time++) {
        try {
          const chunks: Uint8Array[] = [];
          for await (const chunk of readObject(place, key, 0)) chunks.push(chunk);
          return Buffer.concat(chunks);
        } catch (error) {
          if (!(error instanceof FourfoldError && error.code === 'conflict') || time === maxRestarts) throw error;
        }
      }
    },
    async put(key, body, options = {}) {
      const bytes =
        typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
      pathOf(key);
      if (bytes.byteLength <= partSizeBytes) return putWhole(place, key, bytes, options);
      assert(!options.ifAbsent, 'objects that are put only if absent are small');
      for (let time = 1; !(await putParts(place, key, bytes)); time++) {
        if (time === maxRestarts)
          throw new FourfoldError('unavailable', `${nameOf(key)}: its upload was lost ${time} times`);
      }
    },
    list: (keyPrefix) => listObjects(place, keyPrefix),
    remove,
    // A bucket has no folders, and MinIO removes unfinished uploads.
    tidyFolder: async (key) => void pathOf(key),
    at: (below) => createS3Store(connection, bucket, pathOf(below)),
  };
}

async function listObjects({ attempt, bucket, prefix, url }: S3Place, keyPrefix: string): Promise<ObjectInfo[]> {
  const root = prefix === '' ? '' : `${prefix}/`;
  const found: ObjectInfo[] = [];
  for (let token: string | undefined = ''; token !== undefined;) {
    const from: string = token;
    const request = (client: Client) => client.listObjectsV2Query(bucket, root + keyPrefix, from, '', pageKeys, '');
    const page = await attempt(url, request).catch(emptyIfNotFound);
    for (const { name, size } of page.objects) {
      if (name !== undefined) found.push({ key: name.slice(root.length), sizeBytes: size });
    }
    token = page.isTruncated ? page.nextContinuationToken : undefined;
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function emptyIfNotFound(error: unknown) {
  if (!(error instanceof FourfoldError && error.code === 'not-found')) throw error;
  return { objects: [], isTruncated: false, nextContinuationToken: '' };
}
