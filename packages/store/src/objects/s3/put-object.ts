import { randomUUID } from 'node:crypto';
import type { Client } from 'minio';
import { FourfoldError } from '@fourfold/common';
import type { PutOptions } from '../types.js';
import { partSizeBytes } from './connection.js';
import { s3ErrorCode } from './failures.js';
import type { S3Place } from './place.js';

/** Metadata that identifies a put, to find out whether it succeeded when its answer was lost. */
const putIdKey = 'x-amz-meta-put-id';

/** Make a request that writes; the bucket is created if it does not exist. */
const write = <T>(
  { attempt, bucket, nameOf }: S3Place,
  key: string,
  request: (client: Client) => Promise<T>,
  atMostMs?: number,
): Promise<T> =>
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
async function isFromPut({ attempt, bucket, pathOf, nameOf }: S3Place, key: string, putId: string): Promise<boolean> {
  const found = await attempt(nameOf(key), (client) => client.statObject(bucket, pathOf(key)));
  return (found.metaData as Record<string, unknown>)['put-id'] === putId;
}

/** Put in one request. */
export async function putWhole(place: S3Place, key: string, body: Buffer, options: PutOptions): Promise<void> {
  const { bucket, pathOf } = place;
  const { ifAbsent, patienceMs } = options;
  const putId = randomUUID();
  const headers = { [putIdKey]: putId, ...(ifAbsent && { 'If-None-Match': '*' }) };
  try {
    const put = (client: Client) => client.putObject(bucket, pathOf(key), body, body.byteLength, { ...headers });
    await write(place, key, put, patienceMs);
  } catch (error) {
    // A try whose answer was lost may have created the object.
    const isTaken = error instanceof FourfoldError && error.code === 'conflict';
    if (!isTaken || !(await isFromPut(place, key, putId))) throw error;
  }
}

/** Put in parts, each retried separately; false if the service no longer knows the upload. */
export async function putParts(place: S3Place, key: string, body: Buffer): Promise<boolean> {
  const { attempt, bucket, pathOf, nameOf } = place;
  const path = pathOf(key);
  const putId = randomUUID();
  const uploadId = await write(place, key, (client) =>
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
      return isFromPut(place, key, putId).catch(() => false);
    }
    await attempt(nameOf(key), (client) => client.abortMultipartUpload(bucket, path, uploadId)).catch(() => undefined);
    throw error;
  }
}
