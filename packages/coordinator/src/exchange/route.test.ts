import { expect, test } from 'vitest';
import { createHopBar } from './barred-hops.js';
import { mayHop, routeOf, type HeldGradient } from './route.js';

const gradient = (worker: number, token: number): HeldGradient => ({
  worker,
  token,
  peer: { address: `10.0.0.${worker}:7001`, role: 'worker', secret: new Uint8Array([worker]) },
});

/** Each hop as its worker and the tokens that it adds. */
const shape = (gradients: HeldGradient[]) => routeOf(gradients).map(({ worker, tokens }) => [worker, ...tokens]);

test('consecutive gradients of one worker are one hop, in the order of the replicas', () => {
  expect(shape([gradient(1, 11), gradient(1, 10), gradient(2, 12), gradient(3, 13), gradient(3, 14)])).toEqual([
    [1, 11, 10],
    [2, 12],
    [3, 13, 14],
  ]);
});

test('a worker whose block is broken is passed twice: the order of the replicas decides', () => {
  expect(shape([gradient(1, 10), gradient(2, 11), gradient(1, 12)])).toEqual([
    [1, 10],
    [2, 11],
    [1, 12],
  ]);
});

test('a hop says where its worker is, and what it wants to see', () => {
  const hops = routeOf([gradient(1, 10), gradient(2, 11)]);
  expect(hops[1]).toMatchObject({ address: '10.0.0.2:7001', secret: new Uint8Array([2]) });
});

test('a worker at which a sum broke off is no hop for a while; one that shares memory never is', () => {
  let nowMs = 0;
  const bar = createHopBar(undefined, () => nowMs);
  const may = (worker: number) => mayHop(gradient(worker, 1), bar);
  bar.bar(1);
  nowMs = 30_000;
  bar.bar(2);
  nowMs = 59_999;
  expect([may(1), may(2), may(3)]).toEqual([false, false, true]);
  nowMs = 60_000;
  expect([may(1), may(2)]).toEqual([true, false]);
  // The second time in a row twice as long.
  bar.bar(1);
  nowMs = 179_999;
  expect(may(1)).toBe(false);
  nowMs = 180_000;
  expect(may(1)).toBe(true);
  const longestMs = 32 * 60_000;
  for (let times = 0; times < 8; times++) {
    bar.bar(1);
    bar.bar(1);
    nowMs += longestMs;
    expect(may(1)).toBe(true);
  }
  nowMs += longestMs;
  bar.bar(1);
  nowMs += 60_000;
  expect(may(1)).toBe(true);
  expect(mayHop({ worker: 3, token: 1 }, bar)).toBe(false);
  expect(bar.count()).toBe(20);
});
