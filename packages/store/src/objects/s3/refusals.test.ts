import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeError } from '@fourfold/common';
import { createS3Connection } from './connection.js';
import { decodeEntities } from './entities.js';
import { createS3Store } from './s3-store.js';
import { readS3Settings } from './settings.js';

/*
 * Refusals of an S3 service, with the messages of AWS and MinIO.
 */

let folder: string;
let server: Server;
let endpoint: string;
/** The session token that the service accepts. */
let good: string;
let refuse: (response: ServerResponse) => void;
const seen: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-refusals-'));
  server = createServer((request, response) => {
    const token = String(request.headers['x-amz-security-token']);
    seen.push(token);
    if (token !== good) return refuse(response);
    response.end('the object');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => seen.splice(0));
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true });
});

const answer = (status: number, code: string, message: string, more = '') =>
  function respond(response: ServerResponse) {
    response.statusCode = status;
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`);
  };

async function openWith(token: string, more: Record<string, string> = {}) {
  const file = join(folder, 'token');
  await writeFile(file, token);
  const environment = {
    ...{ FOURFOLD_S3_ENDPOINT: endpoint, FOURFOLD_S3_ACCESS_KEY: 'key', FOURFOLD_S3_SECRET_KEY: 'secret' },
    ...{ FOURFOLD_S3_SESSION_TOKEN_FILE: file, ...more },
  };
  const connection = createS3Connection(readS3Settings(environment), environment);
  const store = createS3Store(connection, 'bucket', 'path');
  return { store, renew: (renewed: string) => writeFile(file, renewed) };
}

const expired = answer(400, 'ExpiredToken', 'The provided token has expired.');

test('temporary keys that expire: the renewed file is read, and no request fails', async () => {
  refuse = expired;
  good = 'first';
  const { store, renew } = await openWith('first');
  expect((await store.get('object')).toString()).toBe('the object');
  good = 'second';
  await renew('second');
  expect((await store.get('object')).toString()).toBe('the object');
  // Renewed only a moment after the old keys have expired.
  good = 'third';
  const late = store.get('object');
  setTimeout(() => void renew('third'), 250);
  expect((await late).toString()).toBe('the object');
  expect(seen).toContain('first');
  expect(seen.at(-1)).toBe('third');
});

test('keys that nobody renews are named', async () => {
  refuse = expired;
  good = 'another';
  const { store } = await openWith('first');
  const refused = await store.get('object').catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'refused' });
  expect(describeError(refused)).toBe(
    's3://bucket/path/object is not allowed: the temporary keys have expired: ExpiredToken: The provided token has expired.; ' +
      'renew FOURFOLD_S3_ACCESS_KEY, FOURFOLD_S3_SECRET_KEY and FOURFOLD_S3_SESSION_TOKEN; if they are given as files (_FILE), these are read again',
  );
});

const malformed = 'AuthorizationHeaderMalformed';
test.each([
  [
    answer(400, malformed, 'the region is wrong; expecting &#39;eu-1&#39;.', '<Region>eu-1</Region>'),
    'set FOURFOLD_S3_REGION=eu-1; the configured region is us-east-1',
  ],
  [
    answer(400, malformed, "the region 'us-east-1' is wrong; expecting 'eu-2'"),
    'set FOURFOLD_S3_REGION=eu-2; the configured region is us-east-1',
  ],
  [
    answer(301, 'PermanentRedirect', 'this bucket is elsewhere'),
    "set FOURFOLD_S3_REGION to the bucket's region, which is not us-east-1, and FOURFOLD_S3_ENDPOINT to that region's endpoint",
  ],
])('another region: %#', async (respond, hint) => {
  refuse = respond;
  good = 'another';
  const { store } = await openWith('first');
  const refused = await store.get('object').catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'refused', options: { hint } });
  expect(describeError(refused)).toContain('s3://bucket/path/object is in a region other than the configured one');
  expect(describeError(refused)).not.toMatch(/&#?\w+;/);
  expect(seen).toHaveLength(1);
});

test('a service that is busy, by its status alone, is asked again', async () => {
  good = 'first';
  const { store } = await openWith('another');
  refuse = (response) => {
    response.statusCode = 503;
    response.end();
    good = 'another';
  };
  expect((await store.get('object')).toString()).toBe('the object');
  expect(seen).toHaveLength(2);
});

test('entities', () => {
  expect(decodeEntities('&lt;a&gt; &amp;amp; &quot;it&#39;s&#x27;&quot; &nbsp; &#99999999; &#1114112;')).toBe(
    '<a> &amp; "it\'s\'" &nbsp; &#99999999; &#1114112;',
  );
});
