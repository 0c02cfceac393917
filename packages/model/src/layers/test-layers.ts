import tf = require('@tensorflow/tfjs-core');
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type BackendName, randomStream } from '@fourfold/common';
import { selectBackend } from '../backends/backend.js';
import { relativeError, onOneThread } from '../test-support.js';
import { batchNorm, batchNormEpsilon, batchNormInference } from './batch-norm.js';
import { conv2d } from './convolution.js';
import { dense, flatten } from './dense.js';
import { depthToSpace, maxPool } from './resampling.js';
import { leakyRelu, prelu, relu } from './activation.js';
import { residual, sequential, type Layer, type NamedTensors } from './layer.js';

// TF.js's tape is the oracle here; only tests load its gradients. They are another copy of TensorFlow.js: the copy that comes first makes
// the tensors.
await import('@tensorflow/tfjs-core/dist/register_all_gradients.js');

interface Case {
  layer: Layer;
  x: number[];
  parameters: Record<string, number[]>;
  /** The same function in TF.js operations. */
  oracle: (x: tf.Tensor4D, parameters: Record<string, tf.Tensor>) => tf.Tensor;
}

const convolution = (side: number, inputs: number, outputs: number, stride: 1 | 2, bias: boolean, size = [8, 12]) => ({
  layer: conv2d('a', { stride, bias }),
  x: [3, ...size, inputs],
  parameters: { 'a/filter': [side, side, inputs, outputs], ...(bias && { 'a/bias': [outputs] }) },
  oracle: (x: tf.Tensor4D, p: Record<string, tf.Tensor>) => {
    const y = tf.conv2d(x, p['a/filter'] as tf.Tensor4D, stride, 'same');
    return bias ? tf.add(y, p['a/bias']) : y;
  },
});

const normalised = (x: tf.Tensor4D, p: Record<string, tf.Tensor>) => {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  const deviation = tf.sqrt(tf.add(variance, batchNormEpsilon));
  return tf.add(tf.mul(tf.div(tf.sub(x, mean), deviation), p['n/gamma']), p['n/beta']);
};

const cases: Record<string, Case> = {
  'conv2d 3x3': convolution(3, 5, 6, 1, false),
  'conv2d 3x3 with a bias': convolution(3, 4, 9, 1, true),
  'conv2d 3x3 at stride 2': convolution(3, 5, 6, 2, false),
  'conv2d 3x3 at stride 2 to one pixel': convolution(3, 4, 7, 2, false, [2, 2]),
  'conv2d 4x4 at stride 2': convolution(4, 5, 6, 2, false),
  'conv2d 3x3 to one channel': convolution(3, 6, 1, 1, true),
  'conv2d 9x9 from three channels': convolution(9, 3, 6, 1, true),
  'conv2d 9x9 to three channels': convolution(9, 6, 3, 1, true),
  'conv2d 9x9 to three channels, odd width': convolution(9, 6, 3, 1, true, [8, 11]),
  'conv2d 3x3 over one pixel': convolution(3, 6, 5, 1, false, [1, 1]),
  'conv2d 3x3 over many rows': convolution(3, 2, 5, 1, false, [48, 6]),
  'conv2d 1x1': convolution(1, 3, 4, 1, true),
  batchNorm: {
    layer: batchNorm('n'),
    x: [3, 4, 5, 6],
    parameters: { 'n/gamma': [6], 'n/beta': [6] },
    oracle: normalised,
  },
  prelu: {
    layer: prelu('p'),
    x: [2, 4, 5, 6],
    parameters: { 'p/slope': [6] },
    oracle: (x, p) => tf.add(tf.relu(x), tf.mul(p['p/slope'], tf.sub(x, tf.relu(x)))),
  },
  leakyRelu: { layer: leakyRelu(0.2), x: [2, 4, 5, 6], parameters: {}, oracle: (x) => tf.leakyRelu(x, 0.2) },
  relu: { layer: relu, x: [2, 4, 5, 6], parameters: {}, oracle: (x) => tf.relu(x) },
  depthToSpace: {
    layer: depthToSpace,
    x: [2, 4, 5, 8],
    parameters: {},
    // Written out: TF.js's own operation has no gradient.
    oracle: (x) => tf.reshape(tf.transpose(tf.reshape(x, [2, 4, 5, 2, 2, 2]), [0, 1, 3, 2, 4, 5]), [2, 8, 10, 2]),
  },
  flatten: { layer: flatten, x: [2, 4, 5, 6], parameters: {}, oracle: (x) => tf.reshape(x, [2, 1, 1, 120]) },
  maxPool: { layer: maxPool, x: [2, 4, 7, 3], parameters: {}, oracle: (x) => tf.maxPool(x, 2, 2, 'valid') },
  dense: {
    layer: dense('d'),
    x: [3, 1, 1, 20],
    parameters: { 'd/weight': [20, 6], 'd/bias': [6] },
    oracle: (x, p) => tf.add(tf.reshape(tf.matMul(tf.reshape(x, [3, 20]), p['d/weight']), [3, 1, 1, 6]), p['d/bias']),
  },
  'sequential and residual': {
    layer: sequential(leakyRelu(0.3), residual(sequential(batchNorm('n'), prelu('p'))), relu),
    x: [2, 4, 5, 6],
    parameters: { 'n/gamma': [6], 'n/beta': [6], 'p/slope': [6] },
    oracle: (x, p) => {
      const inside = tf.leakyRelu(x, 0.3);
      const body = normalised(inside, p);
      return tf.relu(tf.add(inside, tf.add(tf.relu(body), tf.mul(p['p/slope'], tf.sub(body, tf.relu(body))))));
    },
  },
};

function random(shape: number[], ...keys: (string | number)[]): tf.Tensor {
  const stream = randomStream(...keys);
  const size = shape.reduce((product, side) => product * side, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, () => 2 * stream.float() - 1),
    shape,
  );
}

/** Value and gradients of a case by TF.js's tape, on its cpu backend. */
async function taped(name: string, { x, parameters, oracle }: Case): Promise<Record<string, Float32Array>> {
  await selectBackend(onOneThread('cpu'));
  const names = Object.keys(parameters);
  const results = tf.tidy(() => {
    const inputs = [random(x, name), ...names.map((key) => random(parameters[key], name, key))];
    const f = (...tensors: tf.Tensor[]) =>
      oracle(tensors[0] as tf.Tensor4D, Object.fromEntries(names.map((key, i) => [key, tensors[i + 1]])));
    const y = f(...inputs);
    const gradients = tf.grads(f)(inputs, random(y.shape, name, 'dy'));
    return Object.fromEntries([['y', y], ...['x', ...names].map((key, i): [string, tf.Tensor] => [key, gradients[i]])]);
  });
  return Object.fromEntries(Object.entries(results).map(([key, tensor]) => [key, tensor.dataSync<'float32'>()]));
}

/** The tests of layers on a backend. */
export function testLayers(backend: BackendName): void {
  let tensorsBefore: number;
  beforeAll(() => selectBackend(onOneThread(backend)));
  beforeEach(() => void (tensorsBefore = tf.memory().numTensors));
  afterEach(() => expect(tf.memory().numTensors).toBe(tensorsBefore));

  test.each(Object.entries(cases))('the pullback of %s equals the tape', async (name, example) => {
    const before = tf.memory().numTensors;
    const expected = await taped(name, example);
    tensorsBefore += tf.memory().numTensors - before;
    await selectBackend(onOneThread(backend));
    const parameters: NamedTensors = new Map(
      Object.entries(example.parameters).map(([key, shape]) => [key, random(shape, name, key)]),
    );
    const x = random(example.x, name) as tf.Tensor4D;
    const [y, pullback] = example.layer(parameters, x, { saves: true });
    const dy = random(y.shape, name, 'dy') as tf.Tensor4D;
    const gradients: NamedTensors = new Map();
    const dx = pullback.run(dy, { input: true, gradients })!;

    expect(y.shape).toHaveLength(4);
    const actual = new Map([['y', y], ['x', dx], ...gradients]);
    expect([...actual.keys()].sort()).toEqual(Object.keys(expected).sort());
    for (const [key, tensor] of actual) {
      expect(relativeError(await tensor.data(), expected[key]), key).toBeLessThan(1e-5);
    }
    tf.dispose([x, dy, ...actual.values(), ...parameters.values()]);
  });

  test.each(Object.entries(cases))(
    '%s frees everything, whichever gradients are wanted',
    async (name, { layer, ...example }) => {
      await selectBackend(onOneThread(backend));
      const parameters: NamedTensors = new Map(
        Object.entries(example.parameters).map(([key, shape]) => [key, random(shape, name, key)]),
      );
      const x = random(example.x, name) as tf.Tensor4D;
      const atStart = tf.memory().numTensors;
      for (const way of ['unsaved', 'disposed', 'nothing', 'input'] as const) {
        const [y, pullback] = layer(parameters, x, { saves: way !== 'unsaved' });
        if (way === 'unsaved') expect(tf.memory().numTensors).toBe(atStart + 1);
        if (way === 'nothing') expect(pullback.run(y, { input: false })).toBeUndefined();
        if (way === 'input') pullback.run(y, { input: true })!.dispose();
        pullback.dispose();
        y.dispose();
        expect(tf.memory().numTensors, way).toBe(atStart);
      }
      tf.dispose([x, ...parameters.values()]);
    },
  );

  test('a pullback runs once, and only if the pass saved', async () => {
    await selectBackend(onOneThread(backend));
    const x = random([1, 2, 2, 1], 'once') as tf.Tensor4D;
    const [y, pullback] = relu(new Map(), x, { saves: true });
    pullback.run(y, { input: true })!.dispose();
    expect(() => pullback.run(y, { input: true })).toThrow('runs once');
    const [unsaved, none] = relu(new Map(), x, { saves: false });
    expect(() => none.run(y, { input: true })).toThrow('saves');
    tf.dispose([x, y, unsaved]);
  });

  test('batch norm: statistics of the batch, and inference with given ones', async () => {
    await selectBackend(onOneThread(backend));
    const x = random([2, 3, 4, 5], 'statistics') as tf.Tensor4D;
    const parameters: NamedTensors = new Map([
      ['n/gamma', random([5], 'gamma')],
      ['n/beta', random([5], 'beta')],
    ]);
    const statistics: NamedTensors = new Map();
    const [y] = batchNorm('n')(parameters, x, { saves: false, statistics });
    const values = await x.array();
    const channel = (c: number) => values.flat(2).map((pixel) => pixel[c]);
    const means = [0, 1, 2, 3, 4].map((c) => channel(c).reduce((sum, value) => sum + value) / 24);
    const squares = means.map((mean, c) => channel(c).reduce((sum, value) => sum + (value - mean) ** 2, 0));
    expect(relativeError(await statistics.get('n/mean')!.data(), means)).toBeLessThan(1e-6);
    const unbiased = squares.map((sum) => sum / 23);
    expect(relativeError(await statistics.get('n/variance')!.data(), unbiased)).toBeLessThan(1e-6);

    parameters.set('n/mean', tf.tensor1d(means));
    parameters.set('n/variance', tf.tensor1d(squares.map((sum) => sum / 24)));
    const [inferred] = batchNormInference('n')(parameters, x, { saves: false });
    expect(relativeError(await inferred.data(), await y.data())).toBeLessThan(1e-6);
    tf.dispose([x, y, inferred, ...parameters.values(), ...statistics.values()]);
  });
}
