import { expect, test } from 'vitest';
import { resultWithPauses } from './pauses.js';

test('a signal gets its turn between two steps', async () => {
  const controller = new AbortController();
  let steps = 0;
  let isEnded = false;
  function* endless(): Generator<void, never> {
    try {
      for (;;) {
        if (++steps === 2) setImmediate(() => controller.abort(new Error('stopped')));
        yield;
      }
    } finally {
      isEnded = true;
    }
  }
  await expect(resultWithPauses(endless(), controller.signal)).rejects.toThrow('stopped');
  expect(steps).toBeLessThan(5);
  expect(isEnded).toBe(true);
});

test('each step is reported, and the result is returned', async () => {
  function* two(): Generator<number, string> {
    yield 1;
    yield 2;
    return 'result';
  }
  const reported: number[] = [];
  expect(await resultWithPauses(two(), new AbortController().signal, (step) => reported.push(step))).toBe('result');
  expect(reported).toEqual([1, 2]);
});
