import tf = require('@tensorflow/tfjs-core');
import { beforeAll, expect, test } from 'vitest';
import { selectBackend } from '../backends/backend.js';
import { onOneThread } from '../test-support.js';
import { tileOverlap } from './surroundings.js';
import { createNetwork, largestDifference, noise } from './test-network.js';
import { upscaleTiles } from './upscale.js';
import { resultOf } from './upscaler.js';

beforeAll(() => selectBackend(onOneThread('wasm')));

test('tiles of a generator of few blocks equal the whole picture', async () => {
  const config = { channels: 8, blocks: 2 };
  const network = createNetwork(config);
  const input = noise(75, 41);
  const whole = await resultOf(upscaleTiles(network, input, { tile: 75, overlap: 0 }));
  expect([whole.width, whole.height, whole.data.length]).toEqual([300, 164, 3 * 300 * 164]);
  const before = tf.memory().numTensors;
  const tiled = await resultOf(upscaleTiles(network, input, { tile: 16, overlap: tileOverlap(config) }));
  // Another tile size sums in another order: a value halfway between two levels may round the other way.
  expect(largestDifference(whole, tiled)).toBeLessThanOrEqual(1);
  expect(tf.memory().numTensors).toBe(before);
  const seams = await resultOf(upscaleTiles(network, input, { tile: 16, overlap: 0 }));
  expect(largestDifference(whole, seams)).toBeGreaterThan(3);
});

test('a layer that throws leaves no tensors, and the next picture is upscaled', async () => {
  const network = createNetwork({ channels: 4, blocks: 1 });
  const failing = {
    ...network,
    layer: (...args: Parameters<typeof network.layer>): never => {
      network.layer(...args);
      throw new RangeError('Maximum memory size exceeded');
    },
  };
  const before = tf.memory().numTensors;
  const tiling = { tile: 64, overlap: 10 };
  await expect(resultOf(upscaleTiles(failing, noise(9, 9), tiling))).rejects.toThrow('Maximum memory');
  expect(tf.memory().numTensors).toBe(before);
  expect((await resultOf(upscaleTiles(network, noise(9, 9), tiling))).width).toBe(36);
});

test('any size, down to one pixel', async () => {
  const network = createNetwork({ channels: 4, blocks: 1 });
  const tiles = upscaleTiles(network, noise(1, 1), { tile: 64, overlap: 10 });
  const { data, width, height } = await resultOf(tiles);
  expect([width, height, data.length]).toEqual([4, 4, 48]);
});
