import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AssumeRoleProvider } from 'minio/dist/esm/AssumeRoleProvider.mjs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { describeError } from '@fourfold/common';
import { openStore } from '@fourfold/store';
import { findProgram, startMinio, type LocalMinio } from '@fourfold/local-servers';
import { withEnvironment } from './support/environment.js';
import { lacks } from './support/needs.mjs';

/*
 * Keys that expire, as clouds issue them: MinIO's token service gives them.
 */

const region = 'eu-1';

describe.skipIf(lacks('servers', !!findProgram('minio')))('temporary keys (after npm run setup:servers)', () => {
  let minio: LocalMinio;
  /** Plays the service from which a machine gets its role's keys. */
  let metadata: Server;
  let given = 0;
  /** How long the keys that it gives are valid. */
  let lifeMs: number;

  const assumeRole = async () => {
    const { accessKey, secretKey } = minio;
    return new AssumeRoleProvider({ stsEndpoint: minio.endpoint, accessKey, secretKey, region }).getCredentials();
  };
  /** A store that is reached with only these variables. */
  const open = (variables: Record<string, string>) =>
    withEnvironment({ FOURFOLD_S3_ENDPOINT: minio.endpoint, FOURFOLD_S3_REGION: region, ...variables }, () =>
      openStore('s3://temporary/keys'),
    );

  beforeAll(async () => {
    minio = await startMinio({ region });
    metadata = createServer((request, response) => {
      const answer = async () => {
        if (request.url === '/latest/api/token') return 'session';
        if (request.url?.endsWith('/security-credentials/')) return 'trainer';
        const { accessKey, secretKey, sessionToken } = await assumeRole();
        given++;
        const Expiration = new Date(Date.now() + lifeMs).toISOString();
        const keys = { AccessKeyId: accessKey, SecretAccessKey: secretKey, Token: sessionToken };
        return JSON.stringify({ Code: 'Success', ...keys, Expiration });
      };
      void answer().then((body) => response.end(body));
    });
    await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    metadata.close();
    await minio.stop();
  });

  test('by the usual names; without their token they are refused', async () => {
    const { accessKey, secretKey, sessionToken = '' } = await assumeRole();
    const keys = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
    const store = open({ ...keys, AWS_SESSION_TOKEN: sessionToken });
    // In parts, which are separate requests.
    const body = Buffer.alloc(17 << 20, 'body');
    await store.put('object', body);
    expect((await store.get('object')).equals(body)).toBe(true);
    const refused = await open(keys)
      .get('object')
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'refused' });
    expect(describeError(refused)).toMatch(/AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, .* AWS_SESSION_TOKEN/);
    expect(JSON.stringify(refused)).not.toContain(secretKey);
  });

  test('of the machine’s role, renewed when they expire', async () => {
    const { port } = metadata.address() as AddressInfo;
    const instance = {
      FOURFOLD_S3_CREDENTIALS: 'instance',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
    };
    // MinIO accepts requests whose time differs from its own by a quarter of an hour.
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    lifeMs = 400_000;
    const store = open(instance);
    await Promise.all(['a', 'b', 'c'].map((key) => store.put(key, key)));
    expect(given).toBe(1);
    vi.setSystemTime(Date.now() + lifeMs);
    lifeMs = 3_600_000;
    expect((await store.get('a')).toString()).toBe('a');
    expect((await store.list('')).length).toBeGreaterThan(2);
    expect(given).toBe(2);
  });

  test('another region than configured: the variable and its value are named, without entities', async () => {
    const { environment } = minio;
    const told = open({ ...environment, FOURFOLD_S3_REGION: 'us-east-1' });
    // A list, and a request whose refusal comes in a header.
    const refusals = await Promise.allSettled([told.list(''), told.put('x', 'y'), told.get('x'), told.remove('x')]);
    for (const refusal of refusals) {
      const line = describeError((refusal as PromiseRejectedResult).reason);
      expect(line).toContain('is in a region other than the configured one');
      expect(line).toContain(`; set FOURFOLD_S3_REGION=${region}; the configured region is us-east-1`);
      expect(line).not.toMatch(/&#?\w+;/);
    }
    await open({ ...environment, FOURFOLD_S3_REGION: '', AWS_REGION: region }).put('x', 'y');
  });
});
