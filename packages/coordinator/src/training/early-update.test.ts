import { createWireLayout, plainLayout, type WireLayout } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { createReplicaOrder } from '../updates/replica-order.js';
import type { MasterState } from '../updates/types.js';
import { updateAlong } from './early-update.js';

const range = 1 << 20;
const half = { network: 'generator', learningRate: 0.1 } as Parameters<typeof updateAlong>[2];

/** An update along an order of two replicas, and what it has done. */
function updateOf(gradients: WireLayout) {
  const done: unknown[] = [];
  const master = {
    state: () => ({ wires: { gradients } }) as MasterState,
    beginUpdate(network: string, learningRate: number) {
      done.push(['begin', network, learningRate]);
      const drop = async () => void done.push('drop');
      return { advance: (element: number) => void done.push(element), drop };
    },
  };
  return { done, ...updateAlong({ order: createReplicaOrder(), replicas: 2 }, master, half) };
}

test('an update begins when the last replica has been added to as much as is worth handing over', async () => {
  const { done, order, drop } = updateOf(plainLayout(3 * range));
  order.advance(0, 12 * range);
  order.advance(1, 4 * range - 4);
  expect(done).toEqual([]);
  order.advance(1, 4 * range);
  order.advance(1, 8 * range - 4);
  order.advance(1, 9 * range);
  expect(done).toEqual([['begin', 'generator', 0.1], range, 2.25 * range]);
  expect(order.of(1)).toBe(9 * range);
  await drop();
  expect(done.at(-1)).toBe('drop');
});

test('a product is there when its factors have been added', () => {
  const factors = { rows: 1, inputs: 1024, outputs: 2048 };
  const { done, order } = updateOf(
    createWireLayout([
      { encoding: 'bf16', count: 4 },
      { encoding: 'factors', factors },
      { encoding: 'f32', count: 4 },
    ]),
  );
  order.advance(1, 8);
  expect(done).toEqual([]);
  order.advance(1, 8 + 4 * (1024 + 2048));
  expect(done).toEqual([['begin', 'generator', 0.1], 4 + 1024 * 2048]);
});

test('an update that has not begun is dropped without a word; a small one begins with half of it', async () => {
  const { done, order, drop } = updateOf(plainLayout(10));
  order.advance(1, 16);
  await drop();
  expect(done).toEqual([]);
  order.advance(1, 20);
  expect(done).toEqual([['begin', 'generator', 0.1], 5]);
});
