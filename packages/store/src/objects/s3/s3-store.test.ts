import { Readable } from 'node:stream';
import type { Client } from 'minio';
import { beforeEach, expect, test, vi } from 'vitest';
import type { ObjectStore } from '../types.js';
import { partSizeBytes } from './connection.js';
import { toFourfoldError } from './failures.js';
import { createS3Store } from './s3-store.js';

/*
 * What a store makes of the answers of an S3 service. Its client is a fake; each request is tried once.
 */

const s3Error = (code: string) => Object.assign(new Error(code), { name: 'S3Error', code });
const settings = { endpoint: 'http://there', region: 'r', keys: { from: 'nobody' } as const, patienceMs: 0 };

/** Pauses, which take no time here. */
const delay = vi.hoisted(() => vi.fn(async () => undefined));
vi.mock('node:timers/promises', () => ({ setTimeout: delay }));

let store: ObjectStore;
/** The requests so far, by the names of the client's methods. */
let requests: string[];
/** The client's answers, by method. One that is missing succeeds. */
let answers: Partial<Record<keyof Client, (...args: never[]) => unknown>>;
beforeEach(() => {
  [requests, answers] = [[], {}];
  delay.mockClear();
  const client = new Proxy({} as Client, {
    get: (_, method: keyof Client) =>
      async function (...args: never[]): Promise<unknown> {
        requests.push(method);
        return answers[method]?.(...args) ?? {};
      },
  });
  const attempt = <T>(name: string, request: (client: Client) => Promise<T>): Promise<T> =>
    request(client).catch((error: unknown) => {
      throw toFourfoldError(name, error, settings);
    });
  store = createS3Store({ attempt }, 'bucket', 'some/where');
});
const refuses = (code: string) => () => {
  throw s3Error(code);
};

/** Puts are refused as if the object existed; it was written by the last one (`isOurs`) or by another. */
function takenPut(isOurs: boolean): void {
  let putId: unknown;
  answers.putObject = (_bucket: string, _path: string, _body: Buffer, _size: number, headers: object) => {
    putId = (headers as Record<string, unknown>)['x-amz-meta-put-id'];
    throw s3Error('PreconditionFailed');
  };
  answers.statObject = () => ({ metaData: { 'put-id': isOurs ? putId : 'another' } });
}

test('a put that may only create and finds an object: it is somebody else’s', async () => {
  takenPut(false);
  await expect(store.put('x', 'a', { ifAbsent: true })).rejects.toMatchObject({
    code: 'conflict',
    message: 's3://bucket/some/where/x already exists',
  });
});

test('a put that may only create and finds its own object has succeeded: an earlier try lost its answer', async () => {
  takenPut(true);
  await store.put('x', 'a', { ifAbsent: true });
  expect(requests).toEqual(['putObject', 'statObject']);
});

test('only a put that may only create is conditional, and each put has an id of its own', async () => {
  const sent: Record<string, unknown>[] = [];
  answers.putObject = (...args: unknown[]) => void sent.push(args[4] as Record<string, unknown>);
  await store.put('x', 'a', { ifAbsent: true });
  await store.put('x', 'a');
  expect(sent.map((headers) => headers['If-None-Match'])).toEqual(['*', undefined]);
  expect(new Set(sent.map((headers) => headers['x-amz-meta-put-id'])).size).toBe(2);
});

test.each(['BucketAlreadyOwnedByYou', 'BucketAlreadyExists', undefined])(
  'the first put makes the bucket, even beside another process: %s',
  async (code) => {
    answers.putObject = () => {
      if (!requests.includes('makeBucket')) throw s3Error('NoSuchBucket');
    };
    if (code) answers.makeBucket = refuses(code);
    await store.put('x', 'a');
    expect(requests).toEqual(['putObject', 'makeBucket', 'putObject']);
  },
);

test('a bucket that may not be made is named with the reason', async () => {
  answers.putObject = refuses('NoSuchBucket');
  answers.makeBucket = refuses('AccessDenied');
  await expect(store.put('x', 'a')).rejects.toMatchObject({ code: 'refused' });
});

const large = Buffer.alloc(2 * partSizeBytes + 1);
const upload = ['initiateNewMultipartUpload', 'uploadPart', 'uploadPart', 'uploadPart', 'completeMultipartUpload'];

test('a large object is put in parts', async () => {
  const sizes: number[] = [];
  answers.uploadPart = (_: unknown, bytes: Buffer) => {
    sizes.push(bytes.byteLength);
    return { etag: `${sizes.length}` };
  };
  let parts: unknown;
  answers.completeMultipartUpload = (...args: unknown[]) => void (parts = args[3]);
  await store.put('x', large);
  expect(requests).toEqual(upload);
  expect(sizes).toEqual([partSizeBytes, partSizeBytes, 1]);
  expect(parts).toEqual([1, 2, 3].map((part) => ({ part, etag: `${part}` })));
});

test('an upload that the service no longer knows begins again, at most 16 times', async () => {
  answers.uploadPart = refuses('NoSuchUpload');
  answers.statObject = refuses('NotFound');
  await expect(store.put('x', large)).rejects.toMatchObject({
    code: 'unavailable',
    message: 's3://bucket/some/where/x: its upload was lost 16 times',
  });
  expect(requests.filter((method) => method === 'initiateNewMultipartUpload')).toHaveLength(16);
});

test('an upload that is unknown because it was completed has succeeded', async () => {
  let putId: unknown;
  answers.initiateNewMultipartUpload = (_bucket: string, _path: string, headers: Record<string, unknown>) => {
    putId = headers['x-amz-meta-put-id'];
    return 'an-upload';
  };
  answers.completeMultipartUpload = refuses('NoSuchUpload');
  answers.statObject = () => ({ metaData: { 'put-id': putId } });
  await store.put('x', large);
  expect(requests).toEqual([...upload, 'statObject']);
});

test('an upload that is refused is aborted', async () => {
  answers.uploadPart = refuses('XMinioStorageFull');
  await expect(store.put('x', large)).rejects.toMatchObject({ code: 'no-space' });
  expect(requests.at(-1)).toBe('abortMultipartUpload');
});

/** Bodies of `bytes` that each arrive up to `lengths` and then break off; null is the end. */
function bodiesOf(bytes: string, breaks: (number | null)[], etag = () => '"a"'): number[] {
  const begins: number[] = [];
  answers.getPartialObject = (_bucket: string, _path: string, begin: number) => {
    begins.push(begin);
    const length = breaks.shift();
    const body = Readable.from(
      (function* () {
        const part = bytes.slice(begin, length == null ? undefined : begin + length);
        if (part) yield Buffer.from(part);
        if (length != null) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
      })(),
    );
    return Object.assign(body, { headers: { etag: etag(), 'content-length': String(bytes.length - begin) } });
  };
  return begins;
}

test('a body that breaks off is read on from there', async () => {
  const begins = bodiesOf('0123456789', [4, 3, null]);
  expect((await store.get('x')).toString()).toBe('0123456789');
  expect(begins).toEqual([0, 4, 7]);
});

test('a body that breaks off nine times in a row without a byte is given up', async () => {
  const begins = bodiesOf('0123456789', [4, ...Array<number>(20).fill(0)]);
  await expect(store.get('x')).rejects.toMatchObject({
    code: 'unavailable',
    message: 's3://bucket/some/where/x broke off at byte 4',
  });
  expect(begins).toHaveLength(10);
  expect(delay.mock.calls).toEqual(Array(9).fill([250]));
});

test('an object that is replaced while it is read is a conflict; a get reads the new one, at most 16 times', async () => {
  let version = 0;
  const begins = bodiesOf('0123456789', [4, null, null], () => `"${Math.min(2, ++version)}"`);
  expect((await store.get('x')).toString()).toBe('0123456789');
  expect(begins).toEqual([0, 4, 0]);
  bodiesOf('0123456789', Array<number>(99).fill(4), () => `"${++version}"`);
  requests = [];
  await expect(store.get('x')).rejects.toMatchObject({ code: 'conflict' });
  expect(requests).toHaveLength(32);
});

test('a list is read page by page and sorted; where the bucket is missing it is empty', async () => {
  const pages = [
    { objects: [{ name: 'some/where/c', size: 1 }], isTruncated: true, nextContinuationToken: 'next' },
    { objects: [{ name: 'some/where/a', size: 2 }, { prefix: 'some' }], isTruncated: false },
  ];
  answers.listObjectsV2Query = (...args: unknown[]) => pages[args[2] === 'next' ? 1 : 0];
  expect(await store.list('')).toEqual([
    { key: 'a', sizeBytes: 2 },
    { key: 'c', sizeBytes: 1 },
  ]);
  answers.listObjectsV2Query = refuses('NoSuchBucket');
  expect(await store.list('')).toEqual([]);
});

test('removing what does not exist is not an error; a refusal is', async () => {
  answers.removeObject = refuses('NoSuchKey');
  await store.remove('x');
  answers.removeObject = refuses('AccessDenied');
  await expect(store.remove('x')).rejects.toMatchObject({ code: 'refused' });
});

test('a key that leads out of the store makes no request', async () => {
  for (const key of ['../x', '/x', '..']) {
    await expect(store.put(key, 'a')).rejects.toMatchObject({ code: 'invalid' });
    await expect(store.get(key)).rejects.toMatchObject({ code: 'invalid' });
  }
  expect(requests).toEqual([]);
});
