import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findKeySource } from './key-source.js';
import { loadKeys } from './role-keys.js';

/*
 * Where keys come from: variables, files, and cloud services, played by a small server.
 */

let folder: string;
let server: Server | undefined;
let asked: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-keys-'));
  asked = [];
});
afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(folder, { recursive: true });
});

type Answer = string | { status: number; body: string };

/** Answer requests, each named as `METHOD path headers-of-interest`; resolves with the server's URL. */
async function serve(answer: (name: string, body: string, request: IncomingMessage) => Answer): Promise<string> {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      const name = `${request.method} ${request.url}`;
      asked.push(name);
      const answered = answer(name, body, request);
      if (typeof answered !== 'string') response.statusCode = answered.status;
      response.end(typeof answered === 'string' ? answered : answered.body);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function load(environment: Record<string, string>) {
  const source = findKeySource(environment, 'eu-1');
  if (source.from === 'nobody') return undefined;
  return loadKeys(source, environment);
}

const ourNames = ['FOURFOLD_S3_ACCESS_KEY', 'FOURFOLD_S3_SECRET_KEY', 'FOURFOLD_S3_SESSION_TOKEN'];
const keys = { accessKey: 'AKID', secretKey: 'secret', sessionToken: 'token' };
const answered = { Code: 'Success', AccessKeyId: 'AKID', SecretAccessKey: 'secret', Token: 'token' };
const expiration = '2030-01-02T03:04:05Z';
const expiresAtMs = Date.parse(expiration);

test('our keys from variables and from files take precedence over AWS’s', async () => {
  const aws = { AWS_ACCESS_KEY_ID: 'theirs', AWS_SECRET_ACCESS_KEY: 'theirs', AWS_SESSION_TOKEN: 'theirs' };
  expect(await load(aws)).toEqual({ accessKey: 'theirs', secretKey: 'theirs', sessionToken: 'theirs' });
  const values = Object.values(keys);
  const ours = Object.fromEntries(ourNames.map((name, i) => [name, values[i]]));
  expect(await load({ ...aws, ...ours })).toEqual(keys);
  // Sets are not mixed: their token is not used with our keys.
  expect(await load({ ...aws, ...ours, FOURFOLD_S3_SESSION_TOKEN: '' })).toEqual({ ...keys, sessionToken: undefined });

  const files: Record<string, string> = {};
  for (const [i, name] of ourNames.entries()) {
    files[`${name}_FILE`] = join(folder, name);
    await writeFile(join(folder, name), `${values[i]}\n`);
  }
  expect(await load(files)).toEqual(keys);
  await writeFile(join(folder, ourNames[2]), 'renewed');
  expect(await load(files)).toEqual({ ...keys, sessionToken: 'renewed' });
  const missing = { ...files, FOURFOLD_S3_SECRET_KEY_FILE: join(folder, 'nothing') };
  await expect(load(missing)).rejects.toThrow(/^FOURFOLD_S3_SECRET_KEY_FILE: .* cannot be read$/);

  expect(await load({ ...aws, FOURFOLD_S3_CREDENTIALS: 'nobody' })).toBeUndefined();
  expect(await load({})).toBeUndefined();
});

test('keys of the machine’s role', async () => {
  const url = await serve((name, _, { headers }) => {
    if (name === 'PUT /latest/api/token') return 'session';
    if (headers['x-aws-ec2-metadata-token'] !== 'session') return { status: 401, body: '' };
    if (name === 'GET /latest/meta-data/iam/security-credentials/') return 'trainer\n';
    return JSON.stringify({ ...answered, Expiration: expiration });
  });
  const environment = { FOURFOLD_S3_CREDENTIALS: 'instance', AWS_EC2_METADATA_SERVICE_ENDPOINT: url };
  expect(await load(environment)).toEqual({ ...keys, expiresAtMs });
  expect(asked.at(-1)).toBe('GET /latest/meta-data/iam/security-credentials/trainer');
});

test('keys from a container’s agent, with the token it requires', async () => {
  const url = await serve((_, __, { headers }) =>
    headers.authorization === 'let me in' ? JSON.stringify(answered) : { status: 403, body: 'no' },
  );
  const environment = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1/credentials` };
  await expect(load(environment)).rejects.toThrow(
    `no keys for the object store from ${url}/v1/credentials: it answered 403`,
  );
  await writeFile(join(folder, 'token'), 'let me in\n');
  const file = { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(folder, 'token') };
  expect(await load({ ...environment, ...file })).toEqual(keys);
});

test('keys for a web identity', async () => {
  const url = await serve((_, body) => {
    const form = new URLSearchParams(body);
    if (form.get('WebIdentityToken') !== 'a-jwt') {
      const message = '<ErrorResponse><Error><Message>it&#39;s too old</Message></Error></ErrorResponse>';
      return { status: 400, body: message };
    }
    expect(Object.fromEntries(form)).toMatchObject({
      Action: 'AssumeRoleWithWebIdentity',
      RoleArn: 'arn:aws:iam::1:role/trainer',
      RoleSessionName: 'fourfold',
    });
    return `<R><Credentials><AccessKeyId>AKID</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
      <SessionToken>token</SessionToken><Expiration>${expiration}</Expiration></Credentials></R>`;
  });
  const tokenFile = join(folder, 'jwt');
  const environment = {
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/trainer',
    AWS_ENDPOINT_URL_STS: url,
  };
  await expect(load(environment)).rejects.toThrow(`AWS_WEB_IDENTITY_TOKEN_FILE: ${tokenFile} cannot be read`);
  await writeFile(tokenFile, 'a-jwt\n');
  expect(await load(environment)).toEqual({ ...keys, expiresAtMs });
  // If there are keys, too, it must be chosen explicitly.
  const both = { ...environment, FOURFOLD_S3_ACCESS_KEY_FILE: '/nowhere' };
  await expect(load(both)).rejects.toThrow('FOURFOLD_S3_ACCESS_KEY_FILE');
  expect(await load({ ...both, FOURFOLD_S3_CREDENTIALS: 'web-identity' })).toEqual({ ...keys, expiresAtMs });
  await writeFile(tokenFile, 'old');
  await expect(load(environment)).rejects.toThrow("it answered 400: it's too old");
  expect(findKeySource({ ...environment, AWS_ENDPOINT_URL_STS: '' }, 'eu-1')).toMatchObject({
    service: 'https://sts.eu-1.amazonaws.com',
  });
});

test.each([
  ['', 'the answer is not JSON'],
  ['{}', 'the answer holds no keys'],
  [JSON.stringify({ ...answered, Expiration: 'soon' }), 'the answer holds no keys'],
])('an answer %j is refused', async (body, reason) => {
  const url = await serve(() => body);
  await expect(load({ AWS_CONTAINER_CREDENTIALS_FULL_URI: url })).rejects.toMatchObject({
    code: 'unavailable',
    message: `no keys for the object store from ${url}: ${reason}`,
  });
});
