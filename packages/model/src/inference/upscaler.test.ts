import tf = require('@tensorflow/tfjs-core');
import { beforeAll, expect, test } from 'vitest';
import { selectBackend } from '../backends/backend.js';
import { onOneThread } from '../test-support.js';
import { cutReflected, type Border } from './surroundings.js';
import { calibrate, createNetwork, largestDifference, noise, weightsOf } from './test-network.js';
import { upscaleTiles } from './upscale.js';
import { createUpscaler, resultOf } from './upscaler.js';

beforeAll(() => selectBackend(onOneThread('wasm')));

const borders: Border[] = ['zeros', 'reflection'];

test('a picture is what the whole generator makes of it at once, in features of any tile and in small squares', async () => {
  const config = { channels: 4, blocks: 2 };
  const network = createNetwork(config);
  const upscaler = createUpscaler(await weightsOf(network, config), 'zeros');
  // More than one square, in both directions.
  const input = noise(110, 100);
  const whole = await resultOf(upscaleTiles(network, input, { tile: 110, overlap: 0 }));
  for (const tile of [110, 60, 25]) {
    expect(largestDifference(await upscaler.upscale(input, tile), whole)).toBeLessThanOrEqual(1);
  }
});

test.each(borders)('no seam shows with a deep generator, with %s around the picture', async (border) => {
  const config = { channels: 8, blocks: 16 };
  const network = createNetwork(config);
  const input = noise(100, 60);
  calibrate(network, config, input);
  const { upscale } = createUpscaler(await weightsOf(network, config), border);
  expect(largestDifference(await upscale(input, 50), await upscale(input, 100))).toBeLessThanOrEqual(1);
});

test('a reflected border is what a picture that was reflected before would be', async () => {
  const config = { channels: 4, blocks: 1 };
  const weights = await weightsOf(createNetwork(config), config);
  const input = noise(20, 3);
  const around = { left: -8, top: -8, width: 36, height: 19 };
  const large = { data: cutReflected(input, around), width: around.width, height: around.height };
  const region = { left: 8, top: 8, width: 20, height: 3 };
  const expected = await resultOf(createUpscaler(weights, 'zeros').regionSteps(large, region));
  expect(largestDifference(await createUpscaler(weights, 'reflection').upscale(input, 64), expected)).toBe(0);
});

test('pauses tell the work that was done; ending at one frees everything', async () => {
  const config = { channels: 4, blocks: 3 };
  const upscaler = createUpscaler(await weightsOf(createNetwork(config), config), 'reflection');
  const input = noise(50, 20);
  const before = tf.memory().numTensors;
  const work: number[] = [];
  for await (const pixels of upscaler.steps(input, 25)) work.push(pixels);
  expect(work.length).toBe(2 * (3 + 2 + 1));
  expect(work.reduce((sum, pixels) => sum + pixels)).toBeCloseTo(50 * 20);
  expect(tf.memory().numTensors).toBe(before);
  for (const stop of [1, 4, 6, 9]) {
    const steps = upscaler.steps(input, 25);
    for (let i = 0; i < stop; i++) await steps.next();
    await steps.return(input);
    expect(tf.memory().numTensors).toBe(before);
  }
  upscaler.dispose();
  expect(tf.memory().numTensors).toBeLessThan(before);
});
