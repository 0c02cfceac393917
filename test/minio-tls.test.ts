import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, startMinio, type LocalMinio } from '@fourfold/local-servers';
import { withEnvironment } from './support/environment.js';
import { fourfold, photographs } from './support/process.js';
import { createSelfSigned } from './support/self-signed.js';
import { lacks } from './support/needs.mjs';

/*
 * An S3 service that speaks TLS with a certificate of a private authority.
 */

describe.skipIf(lacks('servers', !!findProgram('minio')))('MinIO over TLS (after npm run setup:servers)', () => {
  let minio: LocalMinio;
  let folder: string;
  let authorityPath: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-tls-'));
    const identity = await createSelfSigned();
    authorityPath = join(folder, 'authority.pem');
    await writeFile(authorityPath, identity.certificate);
    minio = await startMinio({ tls: identity });
    expect(minio.endpoint).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  });
  afterAll(async () => {
    await minio.stop();
    await rm(folder, { recursive: true });
  });

  const prepare = ['prepare', '--images', join(photographs, 'train'), '--out', 's3://tls/dataset', '--sample', '2'];
  const inEnvironment = (more: Record<string, string>, args: string[]) =>
    withEnvironment({ ...minio.environment, ...more }, () => fourfold(args));

  test('NODE_EXTRA_CA_CERTS names the authority: objects are written and read', async () => {
    const trusting = { NODE_EXTRA_CA_CERTS: authorityPath };
    const prepared = await inEnvironment(trusting, prepare);
    expect(prepared, prepared.stderr).toMatchObject({ code: 0 });

    const config = join(folder, 'tls.yaml');
    const cacheFolder = join(folder, 'cache');
    await writeFile(
      config,
      `
name: tls
dataset: s3://tls/dataset
data: { globalBatch: 2, cacheFolder: ${cacheFolder} }
phases: [{ kind: mse, iterations: 2, learningRate: 1.0e-4 }]
`,
    );
    const read = await inEnvironment(trusting, ['bench', 'loader', '--config', config, '--iterations', '2', '--json']);
    expect(read, read.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(read.stdout)).toMatchObject({ crops: 4, source: { shards: { loads: 1 } } });
    expect(await readdir(cacheFolder)).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.tar$/)]);
  });

  test('without it the certificate is refused at once, with the hint', async () => {
    const refused = await inEnvironment({}, prepare);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/s3:\/\/tls\/.* could not be reached: self-signed certificate.*NODE_EXTRA_CA_CERTS/);
  });
});
