import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { permutation, randomStream } from './random.js';

test('a stream is pinned: runs of older releases can be continued', () => {
  const stream = randomStream('weights', 7, 'head/conv/filter');
  expect([stream.uint32(), stream.uint32(), stream.uint32()]).toEqual([2310975103, 2493193751, 1608508731]);
  expect(stream.float()).toBe(92406183 / 2 ** 32);
  expect([...permutation(10, randomStream(0))]).toEqual([5, 9, 3, 0, 1, 7, 4, 6, 2, 8]);
});

test('xoshiro128** as published, seeded with the SHA-256 of the keys', () => {
  // The reference algorithm in BigInt arithmetic, which does not depend on JavaScript's 32-bit wrap-around.
  const keys = ['a', 1];
  const mask = 0xffff_ffffn;
  const rotl = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask;
  const s = seedOf(keys);
  const next = () => {
    const result = (rotl((s[1] * 5n) & mask, 7n) * 9n) & mask;
    const t = (s[1] << 9n) & mask;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11n);
    return Number(result);
  };
  const stream = randomStream(...keys);
  for (let i = 0; i < 1000; i++) expect(stream.uint32()).toBe(next());
});

function seedOf(keys: unknown[]): bigint[] {
  const digest = createHash('sha256').update(JSON.stringify(keys)).digest();
  return [0, 4, 8, 12].map((offset) => BigInt(digest.readUInt32LE(offset)));
}

test('the same keys give the same stream, other keys another', () => {
  const first = (...keys: (string | number)[]) => randomStream(...keys).uint32();
  const all = [first(1, 2), first(2, 1), first('1', 2), first('12'), first(12), first(1, 2, 0)];
  expect(new Set(all).size).toBe(all.length);
  expect(first(1, 2)).toBe(all[0]);
});

test('below is uniform and stays below', () => {
  const stream = randomStream('below');
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < 70_000; i++) counts[stream.below(7)]++;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  expect(stream.below(1)).toBe(0);
  for (let i = 0; i < 100; i++) expect(stream.below(2 ** 32)).toBeLessThan(2 ** 32);
});

test('a permutation holds each number once, and every position is reached', () => {
  for (const count of [0, 1, 2, 1000]) {
    const sorted = [...permutation(count, randomStream('count', count))].sort((a, b) => a - b);
    expect(sorted).toEqual(Array.from({ length: count }, (_, i) => i));
  }
  const random = randomStream('all orders');
  const orders = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = permutation(3, random).join();
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  expect(orders.size).toBe(6);
  for (const count of orders.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
