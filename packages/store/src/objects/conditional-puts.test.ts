import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkConditionalPuts } from './conditional-puts.js';
import { FourfoldError } from '@fourfold/common';
import { openStore } from './object-store.js';
import type { ObjectStore } from './types.js';
import { createS3Connection } from './s3/connection.js';
import { createS3Store } from './s3/s3-store.js';
import { readS3Settings } from './s3/settings.js';

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-conditional-puts-'));
  run = openStore(folder).at('runs/small');
});
afterEach(() => rm(folder, { recursive: true }));

const isLeft = async () => (await run.list('')).length;

test('a folder honours conditional puts, and the trial leaves nothing', async () => {
  await checkConditionalPuts(run);
  await Promise.all([checkConditionalPuts(run), checkConditionalPuts(run)]);
  expect(await isLeft()).toBe(0);
});

test('a store that overwrites is refused, whether or not it lets the trial be removed', async () => {
  const careless: ObjectStore = { ...run, put: (key, body) => run.put(key, body) };
  const refusal = { code: 'invalid', message: expect.stringContaining('ignores If-None-Match') as string };
  await expect(checkConditionalPuts(careless)).rejects.toMatchObject(refusal);
  expect(await isLeft()).toBe(0);
  const remove = () => Promise.reject(new FourfoldError('refused', 'no DeleteObject'));
  await expect(checkConditionalPuts({ ...careless, remove })).rejects.toMatchObject(refusal);
  await checkConditionalPuts({ ...run, remove });
});

test('an unavailable store is not mistaken for one that overwrites', async () => {
  const away = new FourfoldError('unavailable', 'away');
  await expect(checkConditionalPuts({ ...run, put: () => Promise.reject(away) })).rejects.toBe(away);
});

test.each([
  ['ignores the condition', 'ignores If-None-Match', undefined],
  ['does not know it', 'refuses If-None-Match', 'NotImplemented'],
])('an S3 service that %s', async (_, reason, code) => {
  const service = createServer((request, response) => {
    request.resume().on('end', () => {
      if (!code || request.method !== 'PUT') return response.setHeader('etag', '"a"').end();
      response.statusCode = 501;
      response.end(`<Error><Code>${code}</Code><Message>A header is not implemented</Message></Error>`);
    });
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  try {
    const endpoint = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const environment = {
      ...{ FOURFOLD_S3_ENDPOINT: endpoint, FOURFOLD_S3_PATIENCE_MS: '0' },
      ...{ FOURFOLD_S3_ACCESS_KEY: 'an-access-key', FOURFOLD_S3_SECRET_KEY: 'a-secret-key' },
    };
    const connection = createS3Connection(readS3Settings(environment), environment);
    await expect(checkConditionalPuts(createS3Store(connection, 'bucket', 'runs/small'))).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(`s3://bucket/runs/small: the object store ${reason}`) as string,
    });
  } finally {
    service.closeAllConnections();
    service.close();
  }
});
