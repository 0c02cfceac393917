import { expect, test } from 'vitest';
import { parameterRoute, type SeatedHop } from './parameter-route.js';

const hop = (worker: number, machine = 'a', isBarred = false): SeatedHop => ({
  worker,
  machine,
  peer: { address: `10.0.0.${worker}:7001`, role: 'worker', secret: new Uint8Array([worker]) },
  isBarred,
});

/** Each worker and the one before it. */
const shape = (seated: SeatedHop[]) => parameterRoute(seated).map(({ hop, from }) => [hop.worker, from?.worker]);

test('each worker gets parameters from the one before it, workers of one host in sequence', () => {
  expect(shape([hop(4, 'b'), hop(1, 'b'), hop(3, 'a'), hop(2, 'b')])).toEqual([
    [3, undefined],
    [1, 3],
    [2, 1],
    [4, 2],
  ]);
  expect(shape([])).toEqual([]);
});

test('a barred worker gets them from the coordinator, and passes them to nobody', () => {
  expect(shape([hop(1), hop(2, 'a', true), hop(3)])).toEqual([
    [1, undefined],
    [3, 1],
    [2, undefined],
  ]);
});
