import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FourfoldError } from '@fourfold/common';
import type { ObjectStore } from '../objects/types.js';
import { putInTerm } from './term-put.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const away = new FourfoldError('unavailable', 'the store could not be reached');
const newer = new FourfoldError('conflict', 'a newer coordinator has taken over');

/** A store that is unavailable to the first `failing` puts for as long as they may wait. */
function storeThatIsAway(failing: number, waitedMs?: number) {
  const puts: number[] = [];
  const put: ObjectStore['put'] = (_key, _body, { patienceMs = Infinity } = {}) => {
    puts.push(patienceMs);
    if (puts.length > failing) return Promise.resolve();
    vi.advanceTimersByTime(waitedMs ?? patienceMs);
    return Promise.reject(away);
  };
  return { puts, store: { put } as ObjectStore };
}

test('a put that finds the store unavailable checks the term again before each retry', async () => {
  const { puts, store } = storeThatIsAway(3);
  let looks = 0;
  await putInTerm(store, 'manifest.json', '{}', () => Promise.resolve(void looks++));
  expect(looks).toBe(4);
  expect(Math.max(...puts)).toBeLessThan(60_000);
});

test('a coordinator that is superseded while cut off writes nothing when the partition heals', async () => {
  const { puts, store } = storeThatIsAway(1);
  const look = () => (puts.length === 0 ? Promise.resolve() : Promise.reject(newer));
  await expect(putInTerm(store, 'manifest.json', '{}', look)).rejects.toBe(newer);
  expect(puts).toHaveLength(1);
});

test('a put that fails at once, or for ten minutes, is an error', async () => {
  const atOnce = storeThatIsAway(Infinity, 0);
  await expect(putInTerm(atOnce.store, 'a', '', () => Promise.resolve())).rejects.toBe(away);
  expect(atOnce.puts).toHaveLength(1);
  const always = storeThatIsAway(Infinity);
  const begunMs = performance.now();
  await expect(putInTerm(always.store, 'a', '', () => Promise.resolve())).rejects.toBe(away);
  expect(performance.now() - begunMs).toBe(600_000);
});
