import { createWireLayout, plainLayout, withoutFactors } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { createSumProgress } from './sum-progress.js';

test('a sum is there up to where its bytes have come', () => {
  const said: number[] = [];
  const { came } = createSumProgress({ sums: plainLayout(10), gradients: plainLayout(10) }, (end) => said.push(end));
  for (const byte of [4, 20, 40]) came(byte);
  expect(said).toEqual([1, 5, 10]);
});

test('what is after a product waits for it', () => {
  const gradients = createWireLayout([
    { encoding: 'bf16', count: 4 },
    { encoding: 'factors', factors: { rows: 1, inputs: 2, outputs: 3 } },
    { encoding: 'bf16', count: 2 },
    { encoding: 'f32', count: 1 },
  ]);
  const said: number[] = [];
  const progress = createSumProgress({ gradients, sums: withoutFactors(gradients) }, (end) => said.push(end));
  for (const byte of [4, 8, 16]) progress.came(byte);
  progress.multiplied();
  progress.came(20);
  expect(said).toEqual([2, 4, 4, 12, 13]);
  said.length = 0;
  const early = createSumProgress({ gradients, sums: withoutFactors(gradients) }, (end) => said.push(end));
  early.multiplied();
  early.came(4);
  early.came(20);
  expect(said).toEqual([0, 2, 13]);
});
