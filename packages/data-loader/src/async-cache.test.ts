import { expect, it } from 'vitest';
import { createAsyncCache } from './async-cache.js';

const cacheOf = (limit: number) => {
  const loads: string[] = [];
  const load = async (key: string) => {
    loads.push(key);
    if (key === 'bad') throw new Error('no such thing');
    return key;
  };
  return { loads, cache: createAsyncCache({ load, sizeOf: (value) => value.length, limit }) };
};

it('keeps within its limit and forgets what was used least recently', async () => {
  const { loads, cache } = cacheOf(6);
  for (const key of ['aa', 'bb', 'cc', 'aa', 'dd']) expect(await cache.get(key)).toBe(key);
  expect(cache.stats()).toEqual({ loads: 4, hits: 1, held: 6 });
  await cache.get('aa');
  await cache.get('bb');
  expect(loads).toEqual(['aa', 'bb', 'cc', 'dd', 'bb']);
});

it('gives out a value larger than its limit, and holds nothing beside it', async () => {
  const { cache } = cacheOf(3);
  await cache.get('a');
  expect(await cache.get('large')).toBe('large');
  expect(cache.stats().held).toBe(5);
});

it('shares loads under way and tries failed ones again', async () => {
  const { loads, cache } = cacheOf(6);
  await Promise.all([cache.get('aa'), cache.get('aa')]);
  await expect(Promise.all([cache.get('bad'), cache.get('bad')])).rejects.toThrow('no such thing');
  await expect(cache.get('bad')).rejects.toThrow('no such thing');
  expect(loads).toEqual(['aa', 'bad', 'bad']);
});
