import { expect, test } from 'vitest';
import { openStore } from '../object-store.js';
import { absoluteStoreUrl, parseS3Url } from '@fourfold/common';
import { publicCheckpointsPolicy } from './policy.js';
import { readS3Settings } from './settings.js';

const endpoint = { FOURFOLD_S3_ENDPOINT: 'https://minio.example:9000/' };
const keys = { FOURFOLD_S3_ACCESS_KEY: 'an-access-key', FOURFOLD_S3_SECRET_KEY: 'a-secret-key' };

test('settings from the environment, and their defaults', () => {
  expect(readS3Settings({ ...endpoint, ...keys, FOURFOLD_S3_REGION: 'eu-1', FOURFOLD_S3_PATIENCE_MS: '50' })).toEqual({
    endpoint: 'https://minio.example:9000',
    region: 'eu-1',
    keys: expect.objectContaining({ from: 'variables', accessKey: 'FOURFOLD_S3_ACCESS_KEY' }) as unknown,
    patienceMs: 50,
  });
  expect(readS3Settings({ ...endpoint, FOURFOLD_S3_ACCESS_KEY: '' })).toEqual({
    endpoint: 'https://minio.example:9000',
    region: 'us-east-1',
    keys: { from: 'nobody' },
    patienceMs: 600_000,
  });
});

test('AWS’s usual names are read if ours are not set', () => {
  const usual = {
    AWS_ENDPOINT_URL: 'http://b:1',
    AWS_DEFAULT_REGION: 'eu-2',
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 's',
  };
  expect(readS3Settings(usual)).toMatchObject({
    endpoint: 'http://b:1',
    region: 'eu-2',
    keys: { from: 'variables', accessKey: 'AWS_ACCESS_KEY_ID' },
  });
  const closer = { ...usual, AWS_ENDPOINT_URL_S3: 'http://a:1', AWS_REGION: 'eu-1' };
  expect(readS3Settings(closer)).toMatchObject({ endpoint: 'http://a:1', region: 'eu-1' });
  expect(readS3Settings({ ...closer, ...endpoint, ...keys, FOURFOLD_S3_REGION: 'eu-0' })).toMatchObject({
    endpoint: 'https://minio.example:9000',
    region: 'eu-0',
    keys: { from: 'variables', accessKey: 'FOURFOLD_S3_ACCESS_KEY' },
  });
});

test.each([
  [{}, 'FOURFOLD_S3_ENDPOINT is not set'],
  [{ FOURFOLD_S3_ENDPOINT: 'minio:9000' }, 'FOURFOLD_S3_ENDPOINT is not a base URL'],
  [{ FOURFOLD_S3_ENDPOINT: 'http://minio:9000/bucket' }, 'FOURFOLD_S3_ENDPOINT is not a base URL'],
  [{ FOURFOLD_S3_ENDPOINT: 'http://me:my-secret@minio:9000' }, 'FOURFOLD_S3_ENDPOINT is not a base URL'],
  [
    { ...endpoint, FOURFOLD_S3_ACCESS_KEY: 'an-access-key' },
    'FOURFOLD_S3_SECRET_KEY is not set, but another of the keys is',
  ],
  [{ ...endpoint, AWS_SESSION_TOKEN: 'a-token' }, 'AWS_ACCESS_KEY_ID is not set, but another of the keys is'],
  [
    { ...endpoint, FOURFOLD_S3_CREDENTIALS: 'role' },
    'FOURFOLD_S3_CREDENTIALS must be one of nobody, variables, web-identity, container, instance',
  ],
  [
    { ...endpoint, ...keys, FOURFOLD_S3_CREDENTIALS: 'container' },
    'FOURFOLD_S3_CREDENTIALS is container, but the environment has no settings for it',
  ],
  [{ AWS_ENDPOINT_URL_S3: 'minio:9000' }, 'AWS_ENDPOINT_URL_S3 is not a base URL'],
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
