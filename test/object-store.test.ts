import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeError, sha256 } from '@fourfold/common';
import { openStore, type ObjectStore } from '@fourfold/store';
import { findProgram, startMinio, type LocalMinio } from '@fourfold/local-servers';
import { testObjectStore } from './support/object-store-contract.js';
import { startAnswerLosingProxy } from './support/answer-losing-proxy.js';
import { withEnvironment } from './support/environment.js';
import { lacks } from './support/needs.mjs';

/*
 * One contract, tested on every kind of store.
 */

describe('a folder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-store-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  testObjectStore(() => openStore(folder));
});

describe.skipIf(lacks('servers', !!findProgram('minio')))('MinIO (after npm run setup:servers)', () => {
  let minio: LocalMinio;
  let store: ObjectStore;
  const open = (url: string, more: Record<string, string> = {}) =>
    withEnvironment({ ...minio.environment, ...more }, () => openStore(url));

  beforeAll(async () => {
    minio = await startMinio();
    store = open('s3://contract/some/where');
  });
  afterAll(() => minio.stop());
  testObjectStore(() => store);

  test('a URL’s slashes do not matter', async () => {
    await store.put('slashes', 'here');
    for (const url of ['s3://contract/some/where/', 's3://contract//some/where']) {
      expect(open(url).url).toBe('s3://contract/some/where');
      expect((await open(url).get('slashes')).toString()).toBe('here');
    }
    expect((await open('s3://contract').get('some/where/slashes')).toString()).toBe('here');
  });

  test('MinIO killed while objects are written and read: they wait, and nothing is torn', async () => {
    const bodies = Array.from({ length: 4 }, (_, i) => Buffer.alloc(24 << 20, `body ${i} `));
    const puts = bodies.map((body, i) => store.put(`killed/${i}`, body));
    await delay(150);
    await minio.kill();
    await delay(1_000);
    await minio.start();
    await Promise.all(puts);
    const hashes = bodies.map((body) => sha256(body));
    const gets = bodies.map(async (_, i) => sha256(await store.get(`killed/${i}`)));
    await delay(50);
    await minio.kill();
    await delay(1_000);
    await minio.start();
    expect(await Promise.all(gets)).toEqual(hashes);
  });

  test('MinIO frozen while terms are claimed: each claim is answered once, as it was decided', async () => {
    await minio.freeze();
    const claims = Promise.allSettled(['a', 'b'].map((body) => store.put('frozen', body, { ifAbsent: true })));
    await delay(500);
    await minio.kill();
    await minio.start();
    const outcomes = await claims;
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const winner = outcomes[0].status === 'fulfilled' ? 'a' : 'b';
    expect((await store.get('frozen')).toString()).toBe(winner);
  });

  const large = Buffer.alloc(20 << 20, 'part');
  test.each([
    ['a put that may only create', /^PUT .*lost-answer/, 'x', { ifAbsent: true }],
    ['the request that makes an object of its parts', /^POST .*uploadId=/, large, {}],
  ])('the answer to %s is lost: it has succeeded all the same', async (_, requestLine, body, options) => {
    const proxy = await startAnswerLosingProxy(Number(new URL(minio.endpoint).port), requestLine);
    try {
      const far = open('s3://contract', { FOURFOLD_S3_ENDPOINT: `http://127.0.0.1:${proxy.port}` });
      const key = `lost-answer-${body.length}`;
      await far.put(key, body, options);
      expect(proxy.lostAnswers()).toBe(1);
      expect((await far.get(key)).equals(Buffer.from(body))).toBe(true);
      await expect(far.put(key, 'other', { ifAbsent: true })).rejects.toMatchObject({ code: 'conflict' });
    } finally {
      proxy.close();
    }
  });

  test('keys without permission: refused at once, and no key in the error', async () => {
    const secret = 'a-secret-that-is-wrong';
    const wrong = open('s3://contract', { FOURFOLD_S3_SECRET_KEY: secret });
    const error: unknown = await wrong.put('x', 'y').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'refused', message: 's3://contract/x is not allowed' });
    expect(describeError(error)).toMatch(/SignatureDoesNotMatch.*check FOURFOLD_S3_ACCESS_KEY/);
    for (const key of [secret, minio.accessKey, minio.secretKey]) expect(JSON.stringify(error)).not.toContain(key);
  });
});
