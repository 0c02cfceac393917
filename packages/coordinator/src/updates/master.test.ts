import type { Network } from '@fourfold/common';
import { blockElements } from '@fourfold/weights';
import { afterEach, expect, test } from 'vitest';
import { smallConfig } from '../test-config.js';
import { createMaster, type Master } from './master.js';
import { bytesOf } from './test-vectors.js';

/*
 * An update that begins before its whole sum is there.
 */

const network: Network = 'discriminator';
const learningRate = 1e-3;
const masters: Master[] = [];
afterEach(async () => {
  for (const master of masters.splice(0)) await master.close();
});

function createWith(changes: object = {}): Master {
  const master = createMaster(smallConfig({ discriminator: { channels: 2, dense: 64 }, ...changes }));
  masters.push(master);
  const { sum } = master.state(network);
  sum.forEach((_, i) => (sum[i] = Math.sin(i)));
  return master;
}

/** All that an update changes, and what crosses. */
function stateOf(master: Master): string[] {
  const { vector, firstMoments, secondMoments, view, wire } = master.state(network);
  const parts = [vector, firstMoments, secondMoments, ...(view ? [view.vector] : [])].map(bytesOf);
  return [...parts, Buffer.from(wire), Buffer.from(view?.deltas ?? [])].map((bytes) => bytes.toString('base64'));
}

/** Resolves when the arriving parameters have come that far. */
async function reached(master: Master, element: number): Promise<void> {
  const arriving = master.arriving(network);
  while (arriving && arriving.reached() < element) await arriving.changed(new AbortController().signal);
}

test.each(['f32', 'bf16', 'int8'])(
  'range by range it has the bits of one in a single piece: parameters %s',
  async (parameters) => {
    const [whole, ranges] = [createWith({ exchange: { parameters } }), createWith({ exchange: { parameters } })];
    for (let step = 0; step < 2; step++) {
      await whole.update(network, learningRate);
      const update = ranges.beginUpdate(network, learningRate);
      expect(ranges.arriving(network)).toMatchObject({ version: step + 1 });
      const before = stateOf(ranges);
      for (const end of [1, blockElements + 7, blockElements + 7, 5 * blockElements]) {
        update.advance(end);
        await reached(ranges, end - (end % blockElements));
      }
      expect(stateOf(ranges)).toEqual(before);
      await ranges.update(network, learningRate);
      expect(stateOf(ranges)).toEqual(stateOf(whole));
      expect(ranges.arriving(network)).toBeUndefined();
    }
    expect(ranges.versions()).toEqual({ generator: 0, discriminator: 2 });
  },
);

test('a NaN in the last range, after the others have been sent: the state stays as it was, and nobody gets the rest', async () => {
  const master = createWith();
  await master.update(network, learningRate);
  const before = stateOf(master);
  const { sum, parameterCount } = master.state(network);
  sum[parameterCount - 1] = NaN;
  const update = master.beginUpdate(network, learningRate);
  const arriving = master.arriving(network);
  update.advance(10 * blockElements);
  await reached(master, 10 * blockElements);
  update.advance(parameterCount);
  await expect(master.update(network, learningRate)).rejects.toThrow(/update 2 of the discriminator makes .* NaN/);
  expect(arriving?.fate()).toBe('dropped');
  expect(arriving?.reached()).toBe(10 * blockElements);
  expect(stateOf(master)).toEqual(before);
  expect(master.versions().discriminator).toBe(1);
});

test('a sum that breaks off in the middle, and another in its place', async () => {
  const [master, undisturbed] = [createWith(), createWith()];
  const update = master.beginUpdate(network, learningRate);
  const arriving = master.arriving(network);
  update.advance(10 * blockElements);
  await reached(master, 10 * blockElements);
  await update.drop();
  expect(arriving?.fate()).toBe('dropped');
  expect(master.arriving(network)).toBeUndefined();
  for (const each of [master, undisturbed]) {
    const { sum } = each.state(network);
    sum.forEach((_, i) => (sum[i] = Math.cos(i)));
    await each.update(network, learningRate);
  }
  expect(stateOf(master)).toEqual(stateOf(undisturbed));
});

test('a gradient whose norm is clipped waits for the whole sum', async () => {
  const [whole, ranges] = [createWith({ clipGradientNorm: 1 }), createWith({ clipGradientNorm: 1 })];
  const update = ranges.beginUpdate(network, learningRate);
  const arriving = ranges.arriving(network);
  update.advance(10 * blockElements);
  const over = ranges.update(network, learningRate);
  expect(arriving?.reached()).toBe(0);
  await over;
  await whole.update(network, learningRate);
  expect(stateOf(ranges)).toEqual(stateOf(whole));
});
