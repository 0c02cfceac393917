import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openStore, type ObjectStore } from './object-store.js';
import { claimTerm, createTermGuard, newestTerm, newestTermNumber, runStore } from './term.js';

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-term-'));
  run = runStore({ store: folder, name: 'small' });
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

test('terms count from 1, and the newest one tells the coordinator’s address', async () => {
  expect(await newestTermNumber(run)).toBe(0);
  expect(await newestTerm(run)).toBeUndefined();
  expect((await claimTerm(run, '127.0.0.1:1')).term).toBe(1);
  expect((await claimTerm(run, '127.0.0.1:2')).term).toBe(2);
  expect(await newestTerm(run)).toMatchObject({ term: 2, address: '127.0.0.1:2' });
});

test('coordinators that claim at once get terms of their own', async () => {
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

test('a guard passes its own term and stops at a newer one', async () => {
  const { term } = await claimTerm(run, 'a:1');
  const guard = createTermGuard(run, term, 60_000);
  await guard.check();
  await claimTerm(run, 'b:1');
  await expect(guard.check()).rejects.toMatchObject({
    code: 'conflict',
    message: 'a newer coordinator (term 2) has taken over from this one (term 1)',
  });
});

test('a guard is fresh while its process is awake, and after a sleep when a look has passed that began after it', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { term } = await claimTerm(run, 'a:1');
  const guard = createTermGuard(run, term, 1000);
  for (let times = 0; times < 3; times++) {
    vi.advanceTimersByTime(999);
    expect(guard.isFresh()).toBe(true);
  }
  vi.advanceTimersByTime(1000);
  expect(guard.isFresh()).toBe(false);
  expect(guard.isFresh()).toBe(false);
  await guard.check();
  expect(guard.isFresh()).toBe(true);
  await claimTerm(run, 'b:1');
  vi.advanceTimersByTime(1000);
  await expect(guard.check()).rejects.toMatchObject({ code: 'conflict' });
  expect(guard.isFresh()).toBe(false);
});

test('whoever asks a guard while the store is slow gets a look that began after the question, shared with others', async () => {
  const { term } = await claimTerm(run, 'a:1');
  let looks = 0;
  let answer = () => undefined as void;
  const slow: ObjectStore = {
    ...run,
    async list(prefix) {
      const found = await run.list(prefix);
      looks++;
      await new Promise<void>((resolve) => (answer = resolve));
      return found;
    },
  };
  const guard = createTermGuard(slow, term, 60_000);
  const first = guard.check();
  await expect.poll(() => looks).toBe(1);
  await claimTerm(run, 'b:1');
  const later = Promise.allSettled([guard.check(), guard.check(), guard.check()]);
  answer();
  await first;
  await expect.poll(() => looks).toBe(2);
  answer();
  expect((await later).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(looks).toBe(2);
});
