import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../objects/object-store.js';
import { totalIterations } from '@fourfold/common';
import { isRunOver, markRunEnd } from './run-end.js';
import { claimTerm } from './term.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-run-end-'));
});
afterEach(() => rm(folder, { recursive: true }));

const schedule = (...iterations: number[]) => ({
  phases: iterations.map((count) => ({
    kind: 'mse' as const,
    iterations: count,
    learningRate: 1e-4,
    decay: 'constant' as const,
  })),
});

test('a run is over once its newest term has reached the end of a schedule of that length', async () => {
  const run = openStore(folder);
  const config = schedule(3, 5);
  expect(totalIterations(config)).toBe(8);
  expect(await isRunOver(run, config)).toBe(false);
  const { term } = await claimTerm(run, '127.0.0.1:1');
  expect(await isRunOver(run, config)).toBe(false);
  await markRunEnd(run, term, config, () => Promise.resolve());
  expect(await isRunOver(run, config)).toBe(true);
  expect(await isRunOver(run, schedule(3, 2))).toBe(true);
  // Another coordinator resumes it.
  expect(await isRunOver(run, schedule(3, 6))).toBe(false);
  await claimTerm(run, '127.0.0.1:2');
  expect(await isRunOver(run, config)).toBe(false);
});

test.each(['', '{"term":1', '{"term":"one"}'])('a damaged finished.json (%j) does not end a run', async (text) => {
  const run = openStore(folder);
  await claimTerm(run, '127.0.0.1:1');
  await run.put('finished.json', Buffer.from(text));
  expect(await isRunOver(run, schedule(3))).toBe(false);
});
