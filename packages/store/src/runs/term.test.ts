import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { claimTerm, newestTerm, newestTermNumber, readTerm, runStore } from './term.js';

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-term-'));
  run = runStore({ store: folder, name: 'small' });
});
afterEach(() => rm(folder, { recursive: true }));

test('terms count from 1, and the newest holds the coordinator’s address', async () => {
  expect(await newestTermNumber(run)).toBe(0);
  expect(await newestTerm(run)).toBeUndefined();
  expect((await claimTerm(run, '127.0.0.1:1')).term).toBe(1);
  expect((await claimTerm(run, '127.0.0.1:2')).term).toBe(2);
  expect(await newestTerm(run)).toMatchObject({ term: 2, address: '127.0.0.1:2' });
});

test('coordinators that claim at the same time get different terms', async () => {
  const addresses = Array.from({ length: 6 }, (_, i) => `127.0.0.1:${i}`);
  const claimed = await Promise.all(addresses.map((address) => claimTerm(run, address)));
  expect(claimed.map(({ term }) => term).sort()).toEqual([1, 2, 3, 4, 5, 6]);
  const last = claimed.find(({ term }) => term === 6);
  expect(await newestTerm(run)).toEqual(last);
});

test('another run’s terms do not count', async () => {
  await claimTerm(run, 'a:1');
  const other = runStore({ store: folder, name: 'small-2' });
  expect((await claimTerm(other, 'b:1')).term).toBe(1);
  expect(openStore(folder).at('runs/small').url).toBe(run.url);
});

test('every claim has a unique id; a term of an older release, which has none, can be read', async () => {
  const claims = [await claimTerm(run, 'a:1'), await claimTerm(run, 'b:1')].map(({ claim }) => claim);
  expect(new Set(claims).size).toBe(2);
  const before = { term: 3, address: 'c:1', claimedAt: '2026-01-01T00:00:00.000Z' };
  await run.put('terms/00000003.json', JSON.stringify(before));
  expect(await readTerm(run, 3)).toEqual(before);
  expect((await claimTerm(run, 'd:1')).term).toBe(4);
});

test('other objects beside the claims do not count as terms', async () => {
  await claimTerm(run, 'a:1');
  for (const key of ['terms/00000001.from-00000900-0008.json', 'terms/scratch-12345.json']) await run.put(key, '{}');
  expect(await newestTermNumber(run)).toBe(1);
});
