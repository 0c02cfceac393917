import { expect, it } from 'vitest';
import { createAsyncCache } from './async-cache.js';

const cacheOf = (limit: number) => {
  const loads: string[] = [];
  const load = async (key: string) => {
    loads.push(key);
    if (key === 'bad') throw new Error('no such thing');
    return key;
  };
  const disposed: string[] = [];
  const dispose = (value: string) => void disposed.push(value);
  return { loads, disposed, cache: createAsyncCache({ load, sizeOf: (value) => value.length, limit, dispose }) };
};

it('keeps within its limit and forgets the least recently used values', async () => {
  const { loads, cache } = cacheOf(6);
  for (const key of ['aa', 'bb', 'cc', 'aa', 'dd']) expect(await cache.get(key)).toBe(key);
  expect(cache.stats()).toEqual({ loads: 4, failed: 0, hits: 1, held: 6 });
  await cache.get('aa');
  await cache.get('bb');
  expect(loads).toEqual(['aa', 'bb', 'cc', 'dd', 'bb']);
});

it('returns a value larger than its limit, and holds nothing beside it', async () => {
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

it('disposes of forgotten values once, and of values in use after their last use', async () => {
  const { disposed, cache } = cacheOf(4);
  const uses: (() => void)[] = [];
  const use = (key: string) => cache.use(key, () => new Promise<void>((resolve) => uses.push(resolve)));
  const users = [use('aa'), use('aa')];
  for (const key of ['bb', 'cc', 'dd']) await cache.get(key);
  await expect.poll(() => disposed).toEqual(['bb']);
  uses[0]();
  await users[0];
  expect(disposed).toEqual(['bb']);
  uses[1]();
  await users[1];
  await expect.poll(() => disposed).toEqual(['bb', 'aa']);
  cache.clear();
  await expect.poll(() => disposed.sort()).toEqual(['aa', 'bb', 'cc', 'dd']);
  expect(cache.stats().held).toBe(0);
});

it('forgets the keys that it is told to, and loads them again when asked', async () => {
  const { loads, disposed, cache } = cacheOf(6);
  for (const key of ['aa', 'bb', 'cc']) await cache.get(key);
  cache.forgetWhere((key) => key < 'c');
  await expect.poll(() => disposed).toEqual(['aa', 'bb']);
  expect(cache.stats().held).toBe(2);
  await cache.get('aa');
  await cache.get('cc');
  expect(loads).toEqual(['aa', 'bb', 'cc', 'aa']);
});

it('when cleared, also disposes of values that are still loading', async () => {
  const { disposed, cache } = cacheOf(4);
  const used = cache.use('aa', (value) => Promise.resolve(value));
  const bad = cache.get('bad');
  cache.clear();
  expect(await used).toBe('aa');
  await expect(bad).rejects.toThrow('no such thing');
  await expect.poll(() => disposed).toEqual(['aa']);
});
