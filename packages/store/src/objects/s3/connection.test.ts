import { FourfoldError } from '@fourfold/common';
import type { Client } from 'minio';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createS3Connection, type S3Connection } from './connection.js';
import { readS3Settings } from './settings.js';

/*
 * How often and how long requests are tried, by a clock that the test moves. The client never leaves this process.
 */

const patienceMs = 60_000;
const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const s3Error = (code: string) => Object.assign(new Error(code), { name: 'S3Error', code });

let connects: number;
let connection: S3Connection;
/** When the service was asked. */
let askedMs: number[];
/** What the service answers. */
let answer: () => unknown;
beforeEach(() => {
  vi.stubEnv('FOURFOLD_LOG', 'silent');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  vi.spyOn(Math, 'random').mockReturnValue(0);
  [connects, askedMs] = [0, []];
  const environment = {
    ...{ FOURFOLD_S3_ENDPOINT: 'http://there', FOURFOLD_S3_PATIENCE_MS: String(patienceMs) },
    ...{ FOURFOLD_S3_ACCESS_KEY: 'an-access-key', FOURFOLD_S3_SECRET_KEY: 'a-secret-key' },
  };
  connection = createS3Connection(readS3Settings(environment), environment, () => {
    connects++;
    return {} as Client;
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const fails = (error: Error) => () => {
  throw error;
};

/** Make a request; resolves with its result or its error, and how long it took. */
async function ask(atMostMs?: number) {
  const begunMs = performance.now();
  askedMs = [];
  const request = async () => {
    askedMs.push(performance.now() - begunMs);
    return answer();
  };
  let outcome: { result: unknown } | { error: unknown } | undefined;
  void connection.attempt('s3://bucket/x', request, atMostMs).then(
    (result) => (outcome = { result }),
    (error: unknown) => (outcome = { error }),
  );
  await vi.advanceTimersByTimeAsync(0);
  while (!outcome) await vi.advanceTimersByTimeAsync(100);
  return { outcome, tookMs: performance.now() - begunMs };
}
const isAway = {
  error: expect.objectContaining({ code: 'unavailable', message: 's3://bucket/x could not be reached' }) as unknown,
};

test('a service that is away is asked at growing intervals until patience ends', async () => {
  answer = fails(refused);
  const { outcome, tookMs } = await ask();
  expect(outcome).toEqual(isAway);
  expect((outcome as { error: FourfoldError }).error.cause).toMatchObject({ message: 'connect ECONNREFUSED' });
  expect(tookMs).toBe(patienceMs);
  expect(askedMs.slice(0, 8)).toEqual([0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300]);
  expect(askedMs.at(-1)).toBe(patienceMs);
});

test('after one request has waited in vain the next fails at once, until one is answered', async () => {
  answer = fails(refused);
  await ask();
  expect(await ask()).toEqual({ outcome: isAway, tookMs: 0 });
  answer = () => 'here';
  expect(await ask()).toEqual({ outcome: { result: 'here' }, tookMs: 0 });
  answer = fails(refused);
  expect((await ask()).tookMs).toBe(patienceMs);
});

test('a request with less patience fails early, and the service keeps its own', async () => {
  answer = fails(refused);
  expect(await ask(200)).toEqual({ outcome: isAway, tookMs: 200 });
  answer = () => (askedMs.length > 4 ? 'here' : fails(refused)());
  expect(await ask()).toEqual({ outcome: { result: 'here' }, tookMs: 1_500 });
});

test.each(['SlowDown', 'XMinioServerNotInitialized', 'ConditionalRequestConflict'])(
  'a service that says %s is asked again',
  async (code) => {
    answer = () => (askedMs.length > 1 ? 'here' : fails(s3Error(code))());
    expect((await ask()).outcome).toEqual({ result: 'here' });
  },
);

test.each([
  ['NoSuchKey', 'not-found'],
  ['PreconditionFailed', 'conflict'],
  ['AccessDenied', 'refused'],
  ['XMinioStorageFull', 'no-space'],
])('the refusal %s is final, and says nothing about the service', async (s3Code, code) => {
  answer = fails(s3Error(s3Code));
  const { outcome, tookMs } = await ask();
  expect(outcome).toMatchObject({ error: { code } });
  expect([tookMs, askedMs]).toEqual([0, [0]]);
  answer = fails(refused);
  expect((await ask()).tookMs).toBe(patienceMs);
});

test('all requests share one client', async () => {
  answer = () => 'here';
  await Promise.all([ask(), ask()]);
  await ask();
  expect(connects).toBe(1);
});
