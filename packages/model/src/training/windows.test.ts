import tf = require('@tensorflow/tfjs-core');
import { describe, expect, test } from 'vitest';
import { onBackend, testedBackends } from '../test-support.js';
import { windowMeans, windowMeansGradient } from './windows.js';

describe.each(testedBackends)('on %s', (backend) => {
  onBackend(backend);

  test.each([
    [4, 9, 11],
    [2, 4, 6],
    [6, 6, 20],
  ])('means of windows of %i in %i x %i, and their transpose', async (side, height, width) => {
    const [x, picks] = tf.tidy((): [tf.Tensor4D, tf.Tensor4D] => {
      const x: tf.Tensor4D = tf.randomUniform([2, height, width, 3], -1, 1, 'float32', 5);
      return [x, tf.randomUniform(windowMeans(x, side).shape, -1, 1, 'float32', 6)];
    });
    const means = windowMeans(x, side);
    const pixels = await x.array();
    const half = side / 2;
    const of = (batch: number, row: number, column: number, channel: number) => {
      let sum = 0;
      for (let y = 0; y < side; y++) {
        for (let i = 0; i < side; i++) sum += pixels[batch][row * half + y][column * half + i][channel];
      }
      return sum / side ** 2;
    };
    const found = await means.array();
    expect(found[0]).toHaveLength(Math.floor((height - side) / half) + 1);
    expect(found[0][0]).toHaveLength(Math.floor((width - side) / half) + 1);
    found.forEach((rows, batch) =>
      rows.forEach((columns, row) =>
        columns.forEach((channels, column) =>
          channels.forEach((mean, channel) => expect(mean).toBeCloseTo(of(batch, row, column, channel), 6)),
        ),
      ),
    );
    const gradient = windowMeansGradient(picks, x.shape, side);
    expect(gradient.shape).toEqual(x.shape);
    const inner = (a: tf.Tensor4D, b: tf.Tensor4D) => tf.tidy(() => tf.sum(tf.mul(a, b)).dataSync()[0]);
    expect(inner(gradient, x)).toBeCloseTo(inner(picks, means), 4);
    tf.dispose([x, picks, means, gradient]);
  });
});
