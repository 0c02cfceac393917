import { historySchema } from '@fourfold/store';
import { expect, test } from 'vitest';
import { createProgress } from './progress.js';
import { evaluate } from './run-evaluation.js';
import {
  board,
  config,
  failures,
  join,
  leaseMs,
  log,
  master,
  names,
  never,
  pass,
  progress,
  replaceProgress,
  scoreOf,
} from './test-evaluations.js';

/*
 * Evaluations that outlast several leases.
 */

const evaluated = () => evaluate({ board, config, failures, master, progress, log }, never);

test('an evaluation that takes five leases’ time is granted once', async () => {
  const worker = join();
  const evaluation = evaluated();
  for (let i = 0; i <= names.length; i++) {
    pass(leaseMs / 4);
    worker.step();
  }
  await evaluation;
  expect(worker.given).toHaveLength(1);
  expect(worker.isGone()).toBe(false);
  expect(progress.history().evaluations.map(({ pictures }) => pictures.length)).toEqual([20]);
});

test('a worker that makes no progress for a lease’s time loses it, however much it has reported before', async () => {
  const worker = join();
  const evaluation = evaluated();
  worker.step();
  pass(2 * leaseMs);
  worker.step();
  pass(2 * leaseMs);
  expect(worker.isGone()).toBe(false);
  worker.step(false);
  pass(1);
  expect(worker.isGone()).toBe(true);
  const other = join();
  for (let i = 0; i <= names.length; i++) other.step();
  await evaluation;
});

test('a worker that takes over an evaluation measures what is left; the figures are bit-identical to one worker’s', async () => {
  const alone = join();
  const first = evaluated();
  for (let i = 0; i <= names.length; i++) alone.step();
  await first;
  alone.leave();

  const [one, two] = [join(), join()];
  const second = evaluated();
  for (let i = 0; i < 7; i++) one.step();
  one.leave();
  expect(two.given[0].measured).toEqual(names.slice(0, 7));
  expect(two.given[0].left).toHaveLength(13);
  for (let i = 0; i < 12; i++) two.step();
  two.leave();
  const three = join();
  // All but one picture have been measured.
  expect(three.given[0].left).toEqual(names.slice(-1));
  for (let i = 0; i < 2; i++) three.step();
  await second;
  const [expected, found] = progress.history().evaluations;
  expect(found).toEqual(expected);
});

test('a worker that takes over when everything is measured has nothing to report, and the evaluation is whole', async () => {
  const one = join();
  const evaluation = evaluated();
  for (let i = 0; i < names.length; i++) one.step();
  one.leave();
  const two = join();
  expect(two.given[0].left).toEqual([]);
  two.step();
  await evaluation;
  expect(progress.history().evaluations[0].pictures).toHaveLength(20);
  expect(failures.failed).not.toHaveBeenCalled();
});

test('progress under a token that is no longer valid, or another worker’s, is ignored', async () => {
  const [one, two] = [join(), join()];
  const evaluation = evaluated();
  const [{ token }] = one.given;
  board.progress(2, token, { losses: {}, scores: [scoreOf(names[0])] });
  one.leave();
  board.progress(1, token, { losses: {}, scores: [scoreOf(names[1])] });
  expect(two.given[0].measured).toEqual([]);
  for (let i = 0; i <= names.length; i++) two.step();
  await evaluation;
});

test('the pictures that were measured first are the run’s, on any machine and however often it is resumed', async () => {
  const one = join({ sha256: 'aa', machine: 'm1' });
  const first = evaluated();
  expect(one.given[0].expects).toEqual(['', '']);
  one.step();
  one.leave();
  const two = join({ sha256: 'aa', machine: 'm2' });
  expect(two.given[0].expects).toEqual(['aa', 'm1']);
  for (let i = 0; i <= names.length; i++) two.step();
  await first;
  const restored = historySchema.parse(JSON.parse(JSON.stringify(progress.history())));
  expect(restored.evaluations[0].of).toEqual({ images: config.validation?.images, sha256: 'aa', machine: 'm1' });
  replaceProgress(createProgress(config));
  progress.restore(restored);
  void evaluated().catch(() => undefined);
  expect(two.given[1].expects).toEqual(['aa', 'm1']);
  board.clear();
  // Another URL is another set.
  const other = { ...config, validation: { ...config.validation, images: 'w' } } as typeof config;
  void evaluate({ board, config: other, failures, master, progress, log }, never).catch(() => undefined);
  expect(two.given[2].expects).toEqual(['', '']);
});
