import { expect, test } from 'vitest';
import { checkpointName } from './checkpoint.js';
import { toEvaluation } from './history.js';
import { bestEvaluation, superfluousCheckpoints, type Retention } from './retention.js';

const evaluated = (scores: Record<number, number>) =>
  Object.entries(scores).map(([iteration, psnr]) => toEvaluation(Number(iteration), [{ picture: 'a', psnr, ssim: 1 }]));

/** Which of `iterations` keep their checkpoints, when each multiple of `validateEvery` is evaluated. */
function staying(
  iterations: number[],
  retention: Retention,
  scores: Record<number, number> = {},
  validateEvery = Infinity,
): number[] {
  const names = iterations.map((iteration) => checkpointName(iteration, 1));
  const due = (iteration: number) => iteration % validateEvery === 0;
  const superfluous = superfluousCheckpoints(names, retention, evaluated(scores), due);
  return iterations.filter((_, i) => !superfluous.includes(names[i]));
}

test('the newest stay', () => {
  expect(staying([1, 2, 3, 4], { keep: 2 })).toEqual([3, 4]);
  expect(staying([1, 2], { keep: 9 })).toEqual([1, 2]);
  expect(staying([], { keep: 1 })).toEqual([]);
});

test('the best stays, however many follow, until a better one comes', () => {
  expect(staying([1, 2, 3, 4, 5], { keep: 1 }, { 2: 29, 4: 28 }, 2)).toEqual([2, 5]);
  expect(staying([2, 5, 6, 7], { keep: 1 }, { 2: 29, 4: 28, 6: 30 }, 2)).toEqual([6, 7]);
});

test('the first of equally good ones stays', () => {
  expect(staying([2, 4, 6, 7], { keep: 1 }, { 2: 28, 4: 29, 6: 29 }, 2)).toEqual([4, 7]);
});

test('if the best evaluated iteration has no checkpoint, the best that has one stays', () => {
  expect(staying([2, 6, 7], { keep: 1 }, { 2: 28, 4: 29, 6: 27 }, 2)).toEqual([2, 7]);
});

test('a checkpoint whose evaluation is under way stays: it may be the best', () => {
  expect(staying([2, 4, 5, 6, 7], { keep: 1 }, { 2: 28 }, 4)).toEqual([2, 4, 7]);
  expect(staying([2, 4, 5, 6, 7], { keep: 1 }, { 2: 28, 4: 27 }, 4)).toEqual([2, 7]);
});

test('every nth stays for good; without n none does', () => {
  expect(staying([5, 10, 15, 20, 25], { keep: 1, keepEvery: 10 })).toEqual([10, 20, 25]);
  expect(staying([0, 5, 10], { keep: 1, keepEvery: 10 })).toEqual([10]);
  expect(staying([5, 10, 15, 20, 25], { keep: 1 })).toEqual([25]);
});

test('a checkpoint that several terms wrote stays in all its copies', () => {
  const names = [checkpointName(2, 1), checkpointName(2, 2), checkpointName(3, 2), checkpointName(4, 2)];
  expect(superfluousCheckpoints(names, { keep: 1 }, evaluated({ 2: 30 }), () => false)).toEqual([names[2]]);
});

test('missing figures are never the best', () => {
  expect(bestEvaluation(evaluated({ 1: NaN, 2: Infinity, 3: 25, 4: NaN }))?.iteration).toBe(3);
  expect(bestEvaluation(evaluated({ 1: NaN }))).toBeUndefined();
  expect(bestEvaluation([])).toBeUndefined();
});

test('the best by SSIM is the highest, by LPIPS the lowest; evaluations without the score do not count', () => {
  const evaluations = [
    { iteration: 1, psnr: 30, ssim: 0.7, lpips: 0.3, pictures: [] },
    { iteration: 2, psnr: 29, ssim: 0.9, lpips: 0.1, pictures: [] },
    { iteration: 3, psnr: 28, ssim: 0.8, pictures: [] },
  ];
  expect(bestEvaluation(evaluations)?.iteration).toBe(1);
  expect(bestEvaluation(evaluations, 'ssim')?.iteration).toBe(2);
  expect(bestEvaluation(evaluations, 'lpips')?.iteration).toBe(2);
  expect(bestEvaluation(evaluations.slice(2), 'lpips')).toBeUndefined();
});
