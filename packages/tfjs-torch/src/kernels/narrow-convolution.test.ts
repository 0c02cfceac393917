import tf = require('@tensorflow/tfjs-core');
import { beforeAll, describe, expect, test } from 'vitest';
import { probe } from '../native.js';
import { registerTorch } from '../index.js';
import { lacks } from '../../../../test/support/needs.mjs';

describe.skipIf(lacks('torch', probe().found))('a wide convolution to few channels (after npm run setup:torch)', () => {
  beforeAll(async () => {
    registerTorch({ device: 'cpu' });
    await tf.setBackend('torch');
  });

  const distance = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0];

  test.each<[string, 'same' | 'valid', number[]]>([
    ['padded', 'same', [2, 12, 17, 16]],
    ['not padded', 'valid', [2, 12, 17, 16]],
    ['narrower than its filter', 'same', [1, 3, 2, 20]],
  ])('%s, it equals the first channels of a convolution to many', (_, padding, shape) => {
    const x = tf.randomUniform<tf.Rank.R4>(shape as [number, number, number, number], -1, 1, 'float32', 1);
    const filter = tf.randomUniform<tf.Rank.R4>([9, 9, shape[3], 3], -1, 1, 'float32', 2);
    const more = tf.randomUniform<tf.Rank.R4>([9, 9, shape[3], 9], -1, 1, 'float32', 3);
    const expected = tf.slice(tf.conv2d(x, tf.concat([filter, more], 3), 1, padding), [0, 0, 0, 0], [-1, -1, -1, 3]);
    const found = tf.conv2d(x, filter, 1, padding);
    expect(found.shape).toEqual(expected.shape);
    expect(distance(found, expected)).toBeLessThan(1e-3);
    const bias = tf.tensor1d([1, 2, 3]);
    const fused = tf.fused.conv2d({ x, filter, strides: 1, pad: padding, bias, activation: 'relu' });
    expect(distance(fused, tf.relu(tf.add(expected, bias)))).toBeLessThan(1e-3);
  });
});
