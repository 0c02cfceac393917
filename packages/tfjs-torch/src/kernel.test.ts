import tf = require('@tensorflow/tfjs-core');
import { beforeAll, describe, expect, it } from 'vitest';
import { aten } from './aten.js';
import { registerTorch } from './index.js';
import { registeredKernels, backendName, define } from './kernel.js';
import { loadNative, probe } from './native.js';
import { lacks } from '../../../test/support/needs.mjs';

describe.skipIf(lacks('torch', probe().found))('kernels (after npm run setup:torch)', () => {
  beforeAll(async () => {
    registerTorch();
    await tf.setBackend(backendName);
  });

  const run = (name: string, inputs: Record<string, tf.Tensor>) =>
    tf.engine().runKernel(name, inputs) as unknown as tf.Tensor;

  it('leave one libtorch tensor for each result', () => {
    const image = tf.ones<tf.Rank.R4>([1, 5, 5, 3]);
    const filter = tf.ones<tf.Rank.R4>([3, 3, 3, 4]);
    const before = loadNative().tensorCount();
    const results = [
      tf.conv2d(image, filter, 2, 'same'),
      tf.maxPool(image, 2, 2, 'same'),
      tf.avgPool(image, 3, 1, 'same'),
      tf.image.resizeBilinear(image, [7, 7]),
      tf.mean(image, [1, 2]),
      tf.topk(image, 2).indices,
      tf.batchNorm(image, tf.zeros([3]), tf.ones([3])),
    ];
    // top-k returns values too, and the batch norm's two arguments stay.
    expect(loadNative().tensorCount()).toBe(before + results.length + 3);
  });

  it('leave nothing behind after tidy', () => {
    const attributes = { strides: 1, pad: 'same', dataFormat: 'NHWC', filterShape: [3, 3, 3, 2] };
    const step = () =>
      tf.tidy(() => {
        const x = tf.ones<tf.Rank.R4>([2, 8, 8, 3]);
        const dy = tf.relu(tf.conv2d(x, tf.ones([3, 3, 3, 2]), 1, 'same'));
        const gradient = tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, attributes) as unknown as tf.Tensor;
        return gradient.dataSync().length;
      });
    const before = loadNative().tensorCount();
    const tensors = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) expect(step()).toBe(54);
    expect(loadNative().tensorCount()).toBe(before);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('free their temporaries when they throw', () => {
    define<{ x: tf.TensorInfo }>('ThrowsForTheTest', ({ x }) => {
      aten.relu(aten.neg(x));
      throw new Error('on purpose');
    });
    const [x, matrix] = [tf.ones([3]), tf.ones<tf.Rank.R2>([2, 2])];
    const before = loadNative().tensorCount();
    expect(() => run('ThrowsForTheTest', { x })).toThrow('on purpose');
    expect(() => run('Add', { a: x, b: matrix })).toThrow('must match the size');
    expect(loadNative().tensorCount()).toBe(before);
  });

  it('may return an input: the result is freed separately', () => {
    define<{ x: tf.TensorInfo }>('NothingForTheTest', ({ x }) => x);
    const x = tf.tensor1d([1, 2]);
    const y = run('NothingForTheTest', { x });
    tf.dispose(x);
    expect([...y.dataSync()]).toEqual([1, 2]);
  });

  it('for strings and ragged tensors are those of plain JavaScript', () => {
    const words = tf.concat([tf.tensor1d(['a', 'b']), tf.tensor1d(['ü'])]);
    expect(words.dataSync()).toEqual(['a', 'b', 'ü']);
    expect([...tf.equal(words, tf.tensor1d(['a', 'x', 'ü'])).dataSync()]).toEqual([1, 0, 1]);
    expect(registeredKernels().has('Conv2D')).toBe(true);
    expect(registeredKernels().has('NonMaxSuppressionV3')).toBe(false);
    const kept = tf.image.nonMaxSuppression(
      tf.tensor2d([0, 0, 1, 1, 0, 0, 1, 0.9, 2, 2, 3, 3], [3, 4]),
      [0.5, 0.9, 0.8],
      3,
    );
    expect([...kept.dataSync()]).toEqual([1, 2]);
  });
});
