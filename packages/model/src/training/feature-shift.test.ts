import { beforeAll, expect, test } from 'vitest';
import tf = require('@tensorflow/tfjs-core');
import type { LossConfig } from '@fourfold/common';
import { selectBackend } from '../backends/backend.js';
import { onOneThread } from '../test-support.js';
import { featureShift, ofWhole, seenOf } from './feature-shift.js';
import { meanSquaredError } from './losses.js';

beforeAll(() => selectBackend(onOneThread('cpu')));

const lossWith = (shift: number) =>
  ({
    content: 'lpips',
    featureShift: shift,
  }) as unknown as LossConfig;

test('a replica’s shift is a function of seed, iteration and replica, and takes every value', () => {
  const at = (iteration: number, replica = 0) => featureShift({ loss: lossWith(3), seed: 1 }, { iteration, replica });
  expect(at(5)).toEqual(at(5));
  const seen = new Set(Array.from({ length: 200 }, (_, i) => `${at(i)?.left} ${at(i)?.top}`));
  expect(seen.size).toBe(16);
  expect(Array.from({ length: 20 }, (_, i) => at(i, 1))).not.toEqual(Array.from({ length: 20 }, (_, i) => at(i, 0)));
  expect(featureShift({ loss: lossWith(0), seed: 1 }, { iteration: 5, replica: 0 })).toBeUndefined();
});

test('the gradient of a shifted loss has zeros where the network does not see', () => {
  const before = tf.memory().numTensors;
  const hr = tf.zeros<tf.Rank.R4>([1, 6, 6, 1]);
  const sr = tf.ones<tf.Rank.R4>([1, 6, 6, 1]);
  const shift = { shift: 3, left: 1, top: 2 };
  const [seenHr, seenSr] = [seenOf(shift, hr), seenOf(shift, sr)];
  const { value, gradient: ofSeen } = meanSquaredError(seenHr, seenSr);
  const gradient = ofWhole(shift, ofSeen);
  expect(value.dataSync()[0]).toBe(1);
  const flat = gradient.dataSync();
  for (const [i, slope] of flat.entries()) {
    const [y, x] = [Math.floor(i / 6), i % 6];
    const isSeen = y >= 2 && y < 5 && x >= 1 && x < 4;
    expect(slope).toBeCloseTo(isSeen ? 2 / 9 : 0, 6);
  }
  tf.dispose([hr, sr, seenHr, seenSr, value, ofSeen, gradient]);
  expect(tf.memory().numTensors).toBe(before);
});
