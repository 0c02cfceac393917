import { expect, test } from 'vitest';
import { Table } from './table.js';

const tableOf = (...keys: string[]) =>
  keys.reduce((table, key) => table.with(key, key.length), Table.empty<string, number>());

test('a change makes another table, and leaves the one before as it was', () => {
  const before = tableOf('a', 'bb');
  const after = before.with('bb', 7).with('ccc', 3).without('a');
  expect([...before]).toEqual([
    ['a', 1],
    ['bb', 2],
  ]);
  expect([...after]).toEqual([
    ['bb', 7],
    ['ccc', 3],
  ]);
  expect([before.size, after.size, before.get('ccc'), after.get('a'), after.has('a')]).toEqual([
    2,
    2,
    undefined,
    undefined,
    false,
  ]);
  // Two tables of one: the keys of one are not the other's.
  const other = before.with('dddd', 4);
  expect([other.keys(), after.keys(), other.get('ccc')]).toEqual([['a', 'bb', 'dddd'], ['bb', 'ccc'], undefined]);
});

test('any sequence of changes is that of a Map, and nothing grows with what is gone', () => {
  const map = new Map<number, number>();
  let table = Table.empty<number, number>();
  let state = 1;
  const below = (limit: number) => (state = (Math.imul(state, 48_271) >>> 0) % 2_147_483_647) % limit;
  for (let step = 0; step < 5_000; step++) {
    // Keys come and go, like tasks of iterations.
    const key = Math.floor(step / 25) + below(60);
    if (below(2) === 0) {
      map.set(key, step);
      table = table.with(key, step);
    } else {
      map.delete(key);
      table = table.without(key);
    }
    if (table.size !== map.size || table.has(key) !== map.has(key)) throw new Error(`step ${step} differs`);
  }
  expect(new Map(table)).toEqual(map);
  expect(table.values().sort()).toEqual([...map.values()].sort());
  expect((table as unknown as { places: Map<number, number> }).places.size).toBeLessThan(200);
});
