import tf = require('@tensorflow/tfjs-core');
import { beforeAll, describe, expect, it } from 'vitest';
import { allOrNothing } from './graphs.js';
import { registerTorch } from './index.js';
import { loadNative, probe } from './native.js';
import { lacks } from '../../../test/support/needs.mjs';

describe.skipIf(lacks('torch', probe().found))('all or nothing (after npm run setup:torch)', () => {
  beforeAll(async () => {
    registerTorch();
    await tf.setBackend('torch');
  });

  it('keeps the new tensors, and leaves none if it throws', () => {
    const before = loadNative().tensorCount();
    const made = allOrNothing(() => {
      const x = tf.tensor1d([1, 2]);
      return { y: tf.tidy(() => tf.neg(tf.square(x))), hidden: () => x.dispose() };
    });
    expect([...made.y.dataSync()]).toEqual([-1, -4]);
    expect(loadNative().tensorCount()).toBe(before + 2);
    made.hidden();
    tf.tidy(() => made.y.dispose());
    expect(loadNative().tensorCount()).toBe(before);
    const failing = () => {
      tf.square(tf.tensor1d([1, 2]));
      return tf.tidy(() => tf.fill([2 ** 45], 1));
    };
    expect(() => allOrNothing(failing)).toThrow('out of memory');
    expect(loadNative().tensorCount()).toBe(before);
  });
});
