import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { posix } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'minio';
import { FourfoldError } from '@fourfold/common';
import type { ObjectInfo, ObjectStore, PutOptions } from '../types.js';
import { partSizeBytes, type S3Connection } from './connection.js';
import { isPassing, s3ErrorCode } from './failures.js';

/** Tries of a body that breaks off again and again without a byte. */
const maxBreaksInARow = 8;
const breakPauseMs = 250;
/** Tries for an object that is replaced faster than it is read, and for an upload that the service loses. */
const maxRestarts = 16;
const pageKeys = 1000;

/** Metadata that identifies a put, to find out whether it succeeded when its answer was lost. */
const putIdKey = 'x-amz-meta-put-id';

/** An object store below `prefix` in a bucket, which is created by the first put. */
export function createS3Store(connection: S3Connection, bucket: string, prefix: string): ObjectStore {
  const { attempt } = connection;
  const url = `s3://${posix.join(bucket, prefix)}`;
  const pathOf = (key: string) => {
    const path = posix.normalize(key);
    if (path === '..' || path.startsWith('../') || path.startsWith('/')) {
      throw new FourfoldError('invalid', `object key ${key} leads out of ${url}`);
    }
    return posix.join(prefix, path);
  };
  const nameOf = (key: string) => `${url}/${key}`;

  async function* read(key: string, begin = 0): AsyncGenerator<Uint8Array> {
    const path = pathOf(key);
    let at = begin;
    let etag: string | undefined;
    for (let breaks = 0; ;) {
      const from = at;
      const body = (await attempt(nameOf(key), (client) =>
        client.getPartialObject(bucket, path, from),
      )) as IncomingMessage;
      if (etag !== undefined && body.headers.etag !== etag) {
        body.destroy();
        throw new FourfoldError('conflict', `${nameOf(key)} was replaced while it was read`);
      }
      etag = body.headers.etag;
      const end = from + Number(body.headers['content-length']);
      try {
        for await (const chunk of body as AsyncIterable<Buffer>) {
          at += chunk.byteLength;
          yield chunk;
        }
      } catch (error) {
        breaks = at > from ? 0 : breaks + 1;
        if (!isPassing(error) || breaks > maxBreaksInARow) {
          throw new FourfoldError('unavailable', `${nameOf(key)} broke off at byte ${at}`, { cause: error });
        }
        await delay(breakPauseMs);
      }
      if (at === end) return;
    }
  }

  /** Make a request that writes; the bucket is created if it does not exist. */
  const write = <T>(key: string, request: (client: Client) => Promise<T>, atMostMs?: number): Promise<T> =>
    attempt(
      nameOf(key),
      (client) =>
        request(client).catch(async (error: unknown) => {
          if (s3ErrorCode(error) !== 'NoSuchBucket') throw error;
          await client.makeBucket(bucket).catch((other: unknown) => {
            if (!/^BucketAlready/.test(s3ErrorCode(other) ?? '')) throw other;
          });
          return request(client);
        }),
      atMostMs,
    );

  /** Whether the object was written by the put with this id. */
  const isFromPut = async (key: string, putId: string): Promise<boolean> => {
    const found = await attempt(nameOf(key), (client) => client.statObject(bucket, pathOf(key)));
    return (found.metaData as Record<string, unknown>)['put-id'] === putId;
  };

  const putWhole = async (key: string, body: Buffer, { ifAbsent, patienceMs }: PutOptions): Promise<void> => {
    const putId = randomUUID();
    const headers = { [putIdKey]: putId, ...(ifAbsent && { 'If-None-Match': '*' }) };
    try {
      const put = (client: Client) => client.putObject(bucket, pathOf(key), body, body.byteLength, { ...headers });
      await write(key, put, patienceMs);
    } catch (error) {
      // A try whose answer was lost may have created the object.
      const isTaken = error instanceof FourfoldError && error.code === 'conflict';
      if (!isTaken || !(await isFromPut(key, putId))) throw error;
    }
  };

  /** Put in parts, each retried separately; false if the service no longer knows the upload. */
  const putParts = async (key: string, body: Buffer): Promise<boolean> => {
    const path = pathOf(key);
    const putId = randomUUID();
    const uploadId = await write(key, (client) =>
      client.initiateNewMultipartUpload(bucket, path, { [putIdKey]: putId }),
    );
    try {
      const parts: { part: number; etag: string }[] = [];
      for (let begin = 0; begin < body.byteLength; begin += partSizeBytes) {
        const part = parts.length + 1;
        const target = { bucketName: bucket, objectName: path, uploadID: uploadId, partNumber: part };
        const bytes = body.subarray(begin, begin + partSizeBytes);
        const { etag } = await attempt(nameOf(key), (client) => client.uploadPart({ ...target, headers: {} }, bytes));
        parts.push({ part, etag });
      }
      await attempt(nameOf(key), (client) => client.completeMultipartUpload(bucket, path, uploadId, parts));
      return true;
    } catch (error) {
      if (error instanceof FourfoldError && error.code === 'not-found') {
        return isFromPut(key, putId).catch(() => false);
      }
      await attempt(nameOf(key), (client) => client.abortMultipartUpload(bucket, path, uploadId)).catch(
        () => undefined,
      );
      throw error;
    }
  };

  async function list(keyPrefix: string): Promise<ObjectInfo[]> {
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

  async function remove(key: string): Promise<void> {
    const path = pathOf(key);
    await attempt(nameOf(key), (client) => client.removeObject(bucket, path)).catch(emptyIfNotFound);
  }

  return {
    url,
    read,
    async get(key) {
      for (let time = 1; ; time++) {
        try {
          const chunks: Uint8Array[] = [];
          for await (const chunk of read(key)) chunks.push(chunk);
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
      if (bytes.byteLength <= partSizeBytes) return putWhole(key, bytes, options);
      assert(!options.ifAbsent, 'objects that are put only if absent are small');
      for (let time = 1; !(await putParts(key, bytes)); time++) {
        if (time === maxRestarts)
          throw new FourfoldError('unavailable', `${nameOf(key)}: its upload was lost ${time} times`);
      }
    },
    list,
    remove,
    // A bucket has no folders, and MinIO removes unfinished uploads.
    tidyFolder: async (key) => void pathOf(key),
    at: (below) => createS3Store(connection, bucket, pathOf(below)),
  };
}

function emptyIfNotFound(error: unknown) {
  if (!(error instanceof FourfoldError && error.code === 'not-found')) throw error;
  return { objects: [], isTruncated: false, nextContinuationToken: '' };
}
