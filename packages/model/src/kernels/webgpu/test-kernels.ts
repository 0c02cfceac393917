import tf = require('@tensorflow/tfjs-core');
import { beforeAll, expect, test, vi } from 'vitest';
import { randomStream } from '@fourfold/common';
import { selectBackend } from '../../backends/backend.js';
import { onOneThread, relativeError } from '../../test-support.js';
import { genericKernels } from '../generic.js';
import type { Kernels } from '../types.js';
import { webgpuKernels } from '../webgpu.js';

/*
 * Kernels of our own beside TensorFlow.js's on plain JavaScript, at sizes that fill no tile, and twice with the same bits.
 */

type Compute = (kernels: Kernels, given: (shape: number[], name: string) => tf.Tensor) => tf.Tensor[];

const convolution =
  (side: number, inputs: number, outputs: number, stride: 1 | 2, size: [number, number, number]): Compute =>
  (kernels, given) => {
    const xShape = [...size, inputs] as tf.Tensor4D['shape'];
    const filterShape = [side, side, inputs, outputs] as tf.Tensor4D['shape'];
    const outSize = size.slice(1).map((pixels) => Math.ceil(pixels / stride));
    const x = given(xShape, 'x') as tf.Tensor4D;
    const dy = given([size[0], ...outSize, outputs], 'dy') as tf.Tensor4D;
    const filter = given(filterShape, 'filter') as tf.Tensor4D;
    const bias = given([outputs], 'bias') as tf.Tensor1D;
    return [
      kernels.conv2d(x, filter, bias, stride),
      stride === 1 ? kernels.conv2dRelu(x, filter, bias) : kernels.conv2d(x, filter, undefined, stride),
      kernels.conv2dFilterGradient(x, dy, filterShape, stride),
      kernels.conv2dInputGradient(dy, filter, xShape, stride),
    ];
  };

const shape = [3, 13, 11, 37];

const cases: Record<string, Compute> = {
  'convolution 3x3': convolution(3, 37, 34, 1, [2, 7, 9]),
  'convolution 3x3 at stride 2': convolution(3, 9, 35, 2, [3, 8, 6]),
  'convolution 3x3 at stride 2, odd sizes': convolution(3, 5, 6, 2, [2, 7, 5]),
  'convolution 3x3 at stride 2 to one pixel': convolution(3, 6, 7, 2, [2, 2, 2]),
  'convolution 4x4 at stride 2': convolution(4, 5, 6, 2, [2, 8, 6]),
  'convolution 9x9 from three channels': convolution(9, 3, 17, 1, [2, 8, 6]),
  'convolution 9x9 to three channels, many pixels': convolution(9, 6, 3, 1, [2, 24, 21]),
  'convolution 1x1 over one pixel': convolution(1, 6, 5, 1, [1, 1, 1]),
  dense: (kernels, given) => {
    const [x, dy] = [given([5, 43], 'x'), given([5, 3], 'dy')] as [tf.Tensor2D, tf.Tensor2D];
    const weight = given([43, 3], 'weight') as tf.Tensor2D;
    return [
      kernels.dense(x, weight, given([3], 'bias') as tf.Tensor1D),
      kernels.denseInputGradient(dy, weight),
      kernels.denseWeightGradient(x, dy),
    ];
  },
  'batch norm': (kernels, given) => {
    const [x, dy] = [given(shape, 'x'), given(shape, 'dy')] as [tf.Tensor4D, tf.Tensor4D];
    const [gamma, beta] = [given([37], 'gamma'), given([37], 'beta')] as [tf.Tensor1D, tf.Tensor1D];
    const { y, mean, variance, saved } = kernels.batchNorm(x, gamma, beta, 1e-5);
    const { dx, dGamma, dBeta } = kernels.batchNormGradient(saved, dy, gamma);
    tf.dispose(saved);
    return [y, mean, variance, dx, dGamma, dBeta];
  },
  'frozen batch norm': (kernels, given) => {
    const [x, dy] = [given(shape, 'x'), given(shape, 'dy')] as [tf.Tensor4D, tf.Tensor4D];
    const [gamma, beta, mean] = ['gamma', 'beta', 'mean'].map((name) => given([37], name) as tf.Tensor1D);
    const running = { mean, variance: given([37], 'variance') as tf.Tensor1D, epsilon: 2 };
    const { dx, dGamma, dBeta } = kernels.frozenBatchNormGradient(x, dy, gamma, running);
    return [kernels.frozenBatchNorm(x, gamma, beta, running), dx, dGamma, dBeta];
  },
  activations: (kernels, given) => {
    const [x, dy] = [given(shape, 'x'), given(shape, 'dy')] as [tf.Tensor4D, tf.Tensor4D];
    const slope = given([37], 'slope') as tf.Tensor1D;
    const { dx, dSlope } = kernels.preluGradient(dy, x, slope);
    const leaky = [kernels.leakyRelu(x, 0.2), kernels.leakyRelu(x, 0), kernels.leakyReluGradient(dy, x, 0.2)];
    return [...leaky, kernels.prelu(x, slope), dx, dSlope, kernels.softplus(x), kernels.sigmoid(x)];
  },
  channels: (kernels, given) => {
    const [x, scale, shift] = [given(shape, 'x'), given([37], 'scale'), given([37], 'shift')];
    const pixels = x as tf.Tensor4D;
    return [kernels.channelSums(pixels), kernels.scaleShift(pixels, scale as tf.Tensor1D, shift as tf.Tensor1D)];
  },
  'max pooling, odd sizes': (kernels, given) => {
    const x = given([2, 7, 5, 3], 'x') as tf.Tensor4D;
    const { y, saved } = kernels.maxPool(x);
    return [kernels.maxPoolGradient(given(y.shape, 'dy') as tf.Tensor4D, saved, x.shape), y];
  },
};

function random(shape: number[], ...keys: string[]): tf.Tensor {
  const stream = randomStream(...keys);
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => 2 * stream.float() - 1);
  return tf.tensor(values, shape);
}

/** A case's results on the current backend; no tensor is left. */
async function results(name: string, kernels: Kernels): Promise<Float32Array[]> {
  const before = tf.memory().numTensors;
  const tensors: tf.Tensor[] = [];
  const made = cases[name](kernels, (shape, key) => {
    tensors.push(random(shape, name, key));
    return tensors[tensors.length - 1];
  });
  const values = await Promise.all(made.map((tensor) => tensor.data<'float32'>()));
  tf.dispose([made, tensors]);
  expect(tf.memory().numTensors).toBe(before);
  return values.map((value) => value.slice());
}

/** The tests of our kernels. */
export function testKernels(): void {
  const expected = new Map<string, Float32Array[]>();
  beforeAll(async () => {
    await selectBackend(onOneThread('cpu'));
    for (const name of Object.keys(cases)) expected.set(name, await results(name, genericKernels));
    await selectBackend(onOneThread('webgpu'));
  });

  test.each(Object.keys(cases))('%s', async (name) => {
    const [first, second] = [await results(name, webgpuKernels), await results(name, webgpuKernels)];
    for (const [i, values] of first.entries()) {
      expect(relativeError(values, expected.get(name)![i]), `result ${i}`).toBeLessThan(1e-6);
    }
    expect(second).toEqual(first);
  });

  test('the logits’ functions keep a NaN, and their ends', async () => {
    const logits = tf.tensor4d([NaN, -200, 0, 200], [4, 1, 1, 1]);
    const made = [webgpuKernels.softplus(logits), webgpuKernels.sigmoid(logits)];
    const found = new Float32Array(8);
    await webgpuKernels.download(made, found);
    expect([...found]).toEqual([NaN, 0, Math.fround(Math.LN2), 200, NaN, 0, 0.5, 1]);
    tf.dispose([logits, ...made]);
  });

  test('tensors are overwritten from shared memory, after what was recorded before', async () => {
    const [used, fresh] = [tf.tensor([1, 2]), tf.tensor([3])];
    const before = tf.mul(used, 10);
    const shared = new Float32Array(new SharedArrayBuffer(12));
    shared.set([4, 5, 6]);
    webgpuKernels.overwrite!([used, fresh], shared);
    const after = [tf.mul(used, 10), tf.mul(fresh, 10)];
    const found = new Float32Array(5);
    await webgpuKernels.download([before, ...after], found);
    expect([...found]).toEqual([10, 20, 40, 50, 60]);
    tf.dispose([used, fresh, before, after]);
  });

  test('a long chain of operations is one submission, uses its buffers again, and writes its constants once', async () => {
    const chain = async () => {
      const size = 10_000;
      let x = tf.ones<tf.Rank.R4>([1, 100, 100, 1]);
      for (let i = 0; i < 200; i++) {
        const next = webgpuKernels.leakyRelu(x, 0.5);
        x.dispose();
        x = next;
      }
      // Downloads of one tick go together.
      const [values, again] = [new Float32Array(size), new Float32Array(size)];
      await Promise.all([webgpuKernels.download([x], values), webgpuKernels.download([x], again)]);
      x.dispose();
      expect([values[0], again[size - 1]]).toEqual([1, 1]);
    };
    await chain();
    const { device } = tf.backend() as unknown as { device: { queue: object } };
    const queue = Object.getPrototypeOf(device.queue) as Record<'submit' | 'writeBuffer', () => void>;
    const [submissions, writes] = [vi.spyOn(queue, 'submit'), vi.spyOn(queue, 'writeBuffer')];
    const allocated = () => (tf.memory() as unknown as { numBytesAllocatedInGPU: number }).numBytesAllocatedInGPU;
    const before = allocated();
    await chain();
    expect(submissions).toHaveBeenCalledTimes(1);
    expect(writes).not.toHaveBeenCalled();
    expect(allocated()).toBe(before);
    vi.restoreAllMocks();
  });
}
