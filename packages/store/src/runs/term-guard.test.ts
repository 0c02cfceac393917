import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ObjectStore } from '../objects/types.js';
import { claimTerm, runStore } from './term.js';
import { createTermGuard } from './term-guard.js';

let folder: string;
let run: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-term-guard-'));
  run = runStore({ store: folder, name: 'small' });
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

test('a guard passes its own term and stops at a newer one', async () => {
  const term = await claimTerm(run, 'a:1');
  const guard = createTermGuard(run, term, 60_000);
  await guard.check();
  await claimTerm(run, 'b:1');
  await expect(guard.check()).rejects.toMatchObject({
    code: 'conflict',
    message: 'a newer coordinator (term 2) has taken over from this one (term 1)',
  });
});

test('a guard is fresh while its process is awake, and after a sleep once a look that began later has passed', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] });
  const term = await claimTerm(run, 'a:1');
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
  // While the machine sleeps performance.now() stands still.
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(1);
  expect(guard.isFresh()).toBe(false);
  await guard.check();
  expect(guard.isFresh()).toBe(true);
  await claimTerm(run, 'b:1');
  vi.advanceTimersByTime(1000);
  await expect(guard.check()).rejects.toMatchObject({ code: 'conflict' });
  expect(guard.isFresh()).toBe(false);
});

test('calls while the store is slow share a look that begins after them', async () => {
  const term = await claimTerm(run, 'a:1');
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

test('a guard stops if the store let another coordinator claim the same term', async () => {
  const careless: ObjectStore = { ...run, put: (key, body) => run.put(key, body) };
  const atOnce = { ...careless, list: () => Promise.resolve([]) };
  const [first, second] = [await claimTerm(atOnce, 'a:1'), await claimTerm(atOnce, 'b:1')];
  expect([first.term, second.term]).toEqual([1, 1]);
  await createTermGuard(run, second, 60_000).check();
  await expect(createTermGuard(run, first, 60_000).check()).rejects.toMatchObject({
    code: 'conflict',
    message: `term 1 of ${run.url} is also held by another coordinator`,
  });
});

test('a guard stops if its term’s record is gone: the next coordinator would claim the same term', async () => {
  const term = await claimTerm(run, 'a:1');
  await run.remove('terms/00000001.json');
  await expect(createTermGuard(run, term, 60_000).check()).rejects.toMatchObject({
    code: 'conflict',
    message: `term 1 of ${run.url} is gone`,
  });
});
