import tf = require('@tensorflow/tfjs-core');
import { beforeAll, describe, expect, it } from 'vitest';
import { registerTorch } from '../index.js';
import { probe } from '../native.js';
import { lacks } from '../../../../test/support/needs.mjs';

describe.skipIf(lacks('torch', probe().found))("resizing's gradients (after npm run setup:torch)", () => {
  beforeAll(async () => {
    registerTorch();
    await tf.setBackend('torch');
  });

  const ways = [
    { alignCorners: false, halfPixelCenters: false },
    { alignCorners: true, halfPixelCenters: false },
    { alignCorners: false, halfPixelCenters: true },
  ];
  const dot = (a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(a, b)).dataSync()[0];

  // TensorFlow.js's own tests do not cover half pixels.
  it.each(ways.flatMap((way) => ['ResizeBilinear', 'ResizeNearestNeighbor'].map((kernel) => ({ kernel, ...way }))))(
    'are adjoint to resizing: $kernel, corners aligned $alignCorners, half pixels $halfPixelCenters',
    ({ kernel, ...way }) => {
      const images = tf.randomUniform([2, 4, 5, 3], -1, 1, 'float32', 1);
      const dy = tf.randomUniform([2, 9, 3, 3], -1, 1, 'float32', 2);
      const run = (name: string, inputs: Record<string, tf.Tensor>, attributes: object) =>
        tf.engine().runKernel(name, inputs, { ...attributes }) as unknown as tf.Tensor;
      const resized = run(kernel, { images }, { ...way, size: [9, 3] });
      const gradient = run(`${kernel}Grad`, { images, dy }, way);
      expect(gradient.shape).toEqual(images.shape);
      expect(dot(images, gradient)).toBeCloseTo(dot(resized, dy), 4);
    },
  );
});
