import { expect, test } from 'vitest';
import { mayHop, noBarredHops, routeOf, withBarred, type HeldGradient } from './route.js';

const gradient = (worker: number, token: number): HeldGradient => ({
  worker,
  token,
  peer: { address: `10.0.0.${worker}:7001`, role: 'worker', secret: new Uint8Array([worker]) },
});

const silenceMs = 900;

/** Each hop as its worker and the tokens that it adds. */
const shape = (gradients: HeldGradient[]) =>
  routeOf(gradients, silenceMs).map(({ worker, tokens }) => [worker, ...tokens]);

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

test('each hop waits longer than the one before it, and the coordinator longest', () => {
  const hops = routeOf([gradient(1, 10), gradient(2, 11), gradient(3, 12)], silenceMs);
  expect(hops.map(({ silenceMs }) => silenceMs)).toEqual([0, 300, 600]);
  expect(hops[1]).toMatchObject({ address: '10.0.0.2:7001', secret: new Uint8Array([2]) });
});

test('a worker at which a sum broke off is no hop for a while; one that shares memory never is', () => {
  const barred = withBarred(withBarred(noBarredHops, 1, 0), 2, 30_000);
  const may = (worker: number, nowMs: number) => mayHop(gradient(worker, 1), barred, nowMs);
  expect([may(1, 59_999), may(1, 60_000), may(2, 60_000), may(3, 0)]).toEqual([false, true, false, true]);
  expect(mayHop({ worker: 3, token: 1 }, noBarredHops, 0)).toBe(false);
  // What is over is forgotten.
  expect([...withBarred(barred, 3, 80_000).keys()]).toEqual([2, 3]);
});
