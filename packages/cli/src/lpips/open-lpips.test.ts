import { expect, test } from 'vitest';
import { resultWithPauses } from './open-lpips.js';

test('a signal gets its turn between two steps', async () => {
  const controller = new AbortController();
  let steps = 0;
  function* endless(): Generator<void, never> {
    for (;;) {
      if (++steps === 2) setImmediate(() => controller.abort(new Error('stopped')));
      yield;
    }
  }
  await expect(resultWithPauses(endless(), controller.signal)).rejects.toThrow('stopped');
  expect(steps).toBeLessThan(5);
});

test('the result of the steps is returned', async () => {
  // eslint-disable-next-line require-yield
  function* one(): Generator<void, number> {
    return 1;
  }
  expect(await resultWithPauses(one(), new AbortController().signal)).toBe(1);
});
