import { expect, test, vi } from 'vitest';
import { FourfoldError } from '@fourfold/common';
import { createKeyring } from './keyring.js';
import type { KeySource } from './key-source.js';
import type { Keys } from './role-keys.js';

/*
 * When keys are renewed, by a clock that the test sets.
 */

const variables: KeySource = { from: 'variables', accessKey: 'A', secretKey: 'S', sessionToken: 'T' };
const instance: KeySource = { from: 'instance', service: 'http://there' };
const minuteMs = 60_000;

/** A keyring whose source supplies the keys that `give` returns; `load` is the mock that calls it. */
function ringOf(source: KeySource, give: () => Keys) {
  const clock = { nowMs: 0 };
  // An async function, so that an error from `give` is a rejection.
  const load = vi.fn(async () => Promise.resolve().then(give));
  return { ring: createKeyring(source, {}, { now: () => clock.nowMs, load }), clock, load };
}

const named = (accessKey: string, expiresAtMs?: number): Keys => ({ accessKey, secretKey: 'secret', expiresAtMs });

test('anonymous requests have no keys, and a refusal is final', async () => {
  const { ring, load } = ringOf({ from: 'nobody' }, () => named('a'));
  expect(await ring.keys()).toBeUndefined();
  expect(await ring.mayRetry(named('a'), 'ExpiredToken')).toBe(false);
  expect(load).not.toHaveBeenCalled();
});

test('keys that do not expire are loaded once, for all concurrent requests', async () => {
  const { ring, load } = ringOf(variables, () => named('a'));
  const got = await Promise.all([ring.keys(), ring.keys(), ring.keys()]);
  expect(new Set(got).size).toBe(1);
  expect(load).toHaveBeenCalledTimes(1);
});

test('temporary keys are renewed before they expire, and used until then if the service is unavailable', async () => {
  let count = 0;
  let isAway = false;
  const { ring, clock, load } = ringOf(instance, () => {
    if (isAway) throw new FourfoldError('unavailable', 'away');
    return named(`key ${++count}`, clock.nowMs + 60 * minuteMs);
  });
  const name = async () => (await ring.keys())?.accessKey;
  expect(await name()).toBe('key 1');
  clock.nowMs = 54 * minuteMs;
  expect(await name()).toBe('key 1');
  clock.nowMs = 56 * minuteMs;
  expect(await name()).toBe('key 2');
  isAway = true;
  clock.nowMs += 56 * minuteMs;
  expect(await name()).toBe('key 2');
  expect(await name()).toBe('key 2');
  // Not at each request.
  expect(load).toHaveBeenCalledTimes(3);
  clock.nowMs += 5 * minuteMs;
  await expect(ring.keys()).rejects.toThrow('away');
  isAway = false;
  expect(await name()).toBe('key 3');
});

test('after a refusal files are read again, and the request is repeated if they hold other keys', async () => {
  let inFiles = named('old');
  const { ring, load } = ringOf(variables, () => inFiles);
  const old = (await ring.keys()) as Keys;
  expect(await ring.mayRetry(old, 'ExpiredToken')).toBe(false);
  inFiles = named('new');
  // Also for a request without a body, whose refusal has no reason.
  expect(await ring.mayRetry((await ring.keys()) as Keys, 'AccessDenied')).toBe(true);
  expect(await ring.keys()).toEqual(inFiles);
  // A request that was under way with the old keys.
  expect(await ring.mayRetry(old, 'ExpiredToken')).toBe(true);
  expect(load).toHaveBeenCalledTimes(3);
  expect(await ring.mayRetry((await ring.keys()) as Keys, 'NoSuchKey')).toBe(false);
});

test('keys that were accepted and are refused: their renewal may be a minute late', async () => {
  const { ring, clock } = ringOf(variables, () => named('a'));
  const refused = async (code = 'ExpiredToken') => ring.mayRetry((await ring.keys()) as Keys, code);
  expect(await refused()).toBe(false);
  ring.worked();
  expect(await refused()).toBe(true);
  clock.nowMs = 59_000;
  expect(await refused()).toBe(true);
  clock.nowMs = 61_000;
  expect(await refused()).toBe(false);
  ring.worked();
  expect(await refused()).toBe(true);
  // A refusal by policy is not waited for.
  expect(await refused('AccessDenied')).toBe(false);
});

test('after a later renewal no more requests are lost', async () => {
  let inFiles = named('old');
  const { ring, clock } = ringOf(variables, () => inFiles);
  const refused = async () => ring.mayRetry((await ring.keys()) as Keys, 'ExpiredToken');
  await ring.keys();
  ring.worked();
  expect(await refused()).toBe(true);
  clock.nowMs = 2 * minuteMs;
  expect(await refused()).toBe(false);
  inFiles = named('new');
  expect(await refused()).toBe(true);
  // These are refused, too.
  expect(await refused()).toBe(false);
});

test('a service that returns other keys each time is not asked indefinitely', async () => {
  let count = 0;
  const { ring, load } = ringOf(instance, () => named(`key ${++count}`));
  let retries = 0;
  while (await ring.mayRetry((await ring.keys()) as Keys, 'InvalidAccessKeyId')) retries++;
  expect(retries).toBe(3);
  load.mockClear();
  expect(await ring.mayRetry((await ring.keys()) as Keys, 'AccessDenied')).toBe(false);
  expect(load).not.toHaveBeenCalled();
});
