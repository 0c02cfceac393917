import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { absoluteStoreUrl, openStore } from '../object-store.js';
import { parseS3Url } from './open.js';
import { publicCheckpointsPolicy } from './policy.js';
import { readS3Settings } from './settings.js';

const endpoint = { FOURFOLD_S3_ENDPOINT: 'https://minio.example:9000/' };
const keys = { FOURFOLD_S3_ACCESS_KEY: 'an-access-key', FOURFOLD_S3_SECRET_KEY: 'a-secret-key' };

test('what the environment says, and what holds where it says nothing', () => {
  expect(readS3Settings({ ...endpoint, ...keys, FOURFOLD_S3_REGION: 'eu-1', FOURFOLD_S3_PATIENCE_MS: '50' })).toEqual({
    endpoint: 'https://minio.example:9000',
    region: 'eu-1',
    keys: { accessKey: 'an-access-key', secretKey: 'a-secret-key' },
    patienceMs: 50,
  });
  expect(readS3Settings({ ...endpoint, FOURFOLD_S3_ACCESS_KEY: '' })).toEqual({
    endpoint: 'https://minio.example:9000',
    region: 'us-east-1',
    patienceMs: 600_000,
  });
});

test('keys from files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-keys-'));
  try {
    await writeFile(join(folder, 'access'), 'from-a-file\n');
    await writeFile(join(folder, 'secret'), 'secret-from-a-file\n');
    const files = {
      FOURFOLD_S3_ACCESS_KEY_FILE: join(folder, 'access'),
      FOURFOLD_S3_SECRET_KEY_FILE: join(folder, 'secret'),
    };
    expect(readS3Settings({ ...endpoint, ...files }).keys).toEqual({
      accessKey: 'from-a-file',
      secretKey: 'secret-from-a-file',
    });
    const missing = { ...files, FOURFOLD_S3_SECRET_KEY_FILE: join(folder, 'nothing') };
    expect(() => readS3Settings({ ...endpoint, ...missing })).toThrow(
      /^FOURFOLD_S3_SECRET_KEY_FILE: .* cannot be read$/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each([
  [{}, 'FOURFOLD_S3_ENDPOINT is not set'],
  [{ FOURFOLD_S3_ENDPOINT: 'minio:9000' }, 'FOURFOLD_S3_ENDPOINT is no base URL'],
  [{ FOURFOLD_S3_ENDPOINT: 'http://minio:9000/bucket' }, 'FOURFOLD_S3_ENDPOINT is no base URL'],
  [{ FOURFOLD_S3_ENDPOINT: 'http://me:my-secret@minio:9000' }, 'FOURFOLD_S3_ENDPOINT is no base URL'],
  [
    { ...endpoint, FOURFOLD_S3_ACCESS_KEY: 'an-access-key' },
    'FOURFOLD_S3_SECRET_KEY is not set, though the other key is',
  ],
  [{ ...endpoint, FOURFOLD_S3_PATIENCE_MS: 'long' }, 'FOURFOLD_S3_PATIENCE_MS must be a whole number of milliseconds'],
])('%j is refused by name, without its values', (environment, message) => {
  expect(() => readS3Settings(environment)).toThrow(expect.objectContaining({ code: 'invalid', message }) as Error);
});

test('URLs of buckets', () => {
  expect(parseS3Url('s3://bucket')).toEqual({ bucket: 'bucket', path: '' });
  expect(parseS3Url('s3://my.bucket-1//a/b/')).toEqual({ bucket: 'my.bucket-1', path: 'a/b' });
  expect(parseS3Url('out/store')).toBeUndefined();
  expect(absoluteStoreUrl('s3://bucket/a/')).toBe('s3://bucket/a');
  for (const url of ['s3:bucket', 's3://', 's3://Bucket/a', 's3://b/a', 's3://bucket/a/../b']) {
    expect(() => openStore(url)).toThrow(`object store ${url}: it must look like s3://bucket/path`);
  }
});

test('the policy names one run', () => {
  const { Statement } = publicCheckpointsPolicy('models', 'store/runs/photos');
  expect(Statement.map(({ Action, Resource, Condition }) => ({ Action, Resource, Condition }))).toEqual([
    {
      Action: ['s3:GetObject'],
      Resource: ['arn:aws:s3:::models/store/runs/photos/checkpoints/*'],
      Condition: undefined,
    },
    {
      Action: ['s3:ListBucket'],
      Resource: ['arn:aws:s3:::models'],
      Condition: { StringLike: { 's3:prefix': ['store/runs/photos/*'] } },
    },
  ]);
});
