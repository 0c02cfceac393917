import { beforeAll, expect, test } from 'vitest';
import * as tf from '@tensorflow/tfjs-core';
import { randomStream } from '@fourfold/common';
import { selectBackend } from '../backends/backend.js';
import { onOneThread } from '../test-support.js';
import { initialVector, generatorLayout } from '@fourfold/weights';
import { createGenerator, type Network } from '../networks/networks.js';
import { runGenerator } from '../training/steps.js';
import { disposeTensors, uploadLr, uploadParameters } from '../networks/transfer.js';
import { cutReflected, type Border, type Picture } from './surroundings.js';
import { tileOverlap, upscalePicture, upscaleRegion } from './upscale.js';

beforeAll(() => selectBackend(onOneThread('wasm')));

function createNetwork(config: { channels: number; blocks: number }): Network {
  const layout = generatorLayout(config);
  return {
    layer: createGenerator(config, 'inference'),
    parameters: uploadParameters(layout, initialVector(layout, 1)),
  };
}

/** Give a network the batch statistics of a picture, as training would. */
function calibrate(network: Network, config: { channels: number; blocks: number }, { data, width, height }: Picture) {
  const lr = uploadLr(data, [1, height, width, 3]);
  const pass = runGenerator({ ...network, layer: createGenerator(config, 'training') }, lr);
  const results = pass.pullback(pass.sr);
  lr.dispose();
  for (const [name, tensor] of results) {
    if (!/[/](mean|variance)$/.test(name)) continue;
    network.parameters.get(name)!.dispose();
    network.parameters.set(name, tensor);
    results.delete(name);
  }
  disposeTensors(results);
}

function picture(width: number, height: number): Picture {
  const random = randomStream('picture', width, height);
  return { data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)), width, height };
}

const borders: Border[] = ['zeros', 'reflection'];

const largestDifference = (a: Picture, b: Picture) =>
  a.data.reduce((largest, level, i) => Math.max(largest, Math.abs(level - b.data[i])), 0);

test.each(borders)('tiles of a generator of few blocks equal the whole picture, with %s around it', (border) => {
  const config = { channels: 8, blocks: 2 };
  const network = createNetwork(config);
  const input = picture(75, 41);
  const whole = upscalePicture(network, input, { tile: 75, overlap: tileOverlap(config), border });
  expect([whole.width, whole.height, whole.data.length]).toEqual([300, 164, 3 * 300 * 164]);
  const before = tf.memory().numTensors;
  const tiled = upscalePicture(network, input, { tile: 16, overlap: tileOverlap(config), border });
  // Another tile size sums in another order: a value halfway between two levels may round the other way.
  expect(largestDifference(whole, tiled)).toBeLessThanOrEqual(1);
  expect(tf.memory().numTensors).toBe(before);
  expect(largestDifference(whole, upscalePicture(network, input, { tile: 16, overlap: 0, border }))).toBeGreaterThan(3);
});

test.each(borders)('no seam shows with a deep generator either, with %s around the picture', (border) => {
  const config = { channels: 8, blocks: 16 };
  const network = createNetwork(config);
  const input = picture(100, 60);
  calibrate(network, config, input);
  const whole = upscalePicture(network, input, { tile: 100, overlap: tileOverlap(config), border });
  const tiled = upscalePicture(network, input, { tile: 50, overlap: tileOverlap(config), border });
  expect(largestDifference(whole, tiled)).toBeLessThanOrEqual(1);
});

test.each(borders)('any size, down to one pixel, with %s around it', (border) => {
  const network = createNetwork({ channels: 4, blocks: 1 });
  const { data, width, height } = upscalePicture(network, picture(1, 1), { tile: 64, overlap: 10, border });
  expect([width, height, data.length]).toEqual([4, 4, 48]);
});

test('a reflected border is what a picture that was reflected before would be', () => {
  const network = createNetwork({ channels: 4, blocks: 1 });
  const input = picture(20, 3);
  const around = { left: -8, top: -8, width: 36, height: 19 };
  const large = { data: cutReflected(input, around), width: around.width, height: around.height };
  const region = { left: 8, top: 8, width: 20, height: 3 };
  const expected = upscaleRegion(network, large, region, { overlap: 100, border: 'zeros' });
  const result = upscalePicture(network, input, { tile: 64, overlap: 10, border: 'reflection' });
  expect(largestDifference(result, expected)).toBe(0);
});
