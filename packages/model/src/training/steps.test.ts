import tf = require('@tensorflow/tfjs-core');
import { beforeAll, expect, test } from 'vitest';
import { randomStream, type LossConfig, sha256 } from '@fourfold/common';
import { selectBackend } from '../backends/backend.js';
import { onOneThread, relativeError, vgg54Loss } from '../test-support.js';
import {
  initialVector,
  discriminatorLayout,
  generatorLayout,
  featureLayout,
  vggConvolutions,
  factorNames,
} from '@fourfold/weights';
import { createFeatures, type FeatureExtractor } from '../networks/features.js';
import { createDiscriminator, type Discriminator } from '../networks/discriminator.js';
import { createGenerator, type Network } from '../networks/networks.js';
import { createBandFilter } from './bands.js';
import { contentStep, disposeContent } from './content-step.js';
import { runFeatures } from './feature-pass.js';
import { discriminatorStep, generatorStep, readLosses, runGenerator } from './steps.js';
import {
  disposeTensors,
  downloadGradients,
  uploadBatch,
  uploadParameters,
  type CropBatch,
} from '../networks/transfer.js';

const configs = {
  generator: { channels: 8, blocks: 1 },
  discriminator: { channels: 4, head: 'dense' as const, dense: 8 },
};
const groups = [2, 2, 4, 4, 4].map((convolutions) => ({ convolutions, width: 4 }));
const convolutions = vggConvolutions(groups);
const crop = 32;
const layouts = {
  generator: generatorLayout(configs.generator),
  discriminator: discriminatorLayout(configs.discriminator, crop),
  vgg: featureLayout('vgg19', convolutions),
};
const loss = vgg54Loss;

function pixels(size: number, key: string): Uint8Array {
  const random = randomStream('pixels', key);
  return Uint8Array.from({ length: size }, () => random.below(256));
}

const batch: CropBatch = { hr: pixels(2 * crop * crop * 3, 'hr'), lr: pixels(2 * 8 * 8 * 3, 'lr'), count: 2, crop };

let generator: Network;
let discriminator: Discriminator;
let vgg: FeatureExtractor;

beforeAll(async () => {
  await selectBackend(onOneThread('wasm'));
  const { generator: g, discriminator: d, vgg: v } = layouts;
  generator = {
    layer: createGenerator(configs.generator, 'training'),
    parameters: uploadParameters(g, initialVector(g, 1)),
  };
  discriminator = {
    ...createDiscriminator(configs.discriminator),
    parameters: uploadParameters(d, initialVector(d, 1)),
  };
  vgg = {
    features: createFeatures(convolutions, [{ layer: 'conv5_4', relu: 'after' }]),
    parameters: uploadParameters(v, initialVector(v, 1)),
  };
});

/** One gan iteration without an update; the gradients of both networks, on shared memory. */
async function iterate() {
  const shared = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length));
  const [ofGenerator, ofDiscriminator] = [shared(layouts.generator.length), shared(layouts.discriminator.length)];
  const { hr, lr } = uploadBatch(batch);
  const pass = runGenerator(generator, lr);
  const first = discriminatorStep(discriminator, { hr, sr: pass.sr }, 'standard');
  await downloadGradients(layouts.discriminator, first.gradients, ofDiscriminator);
  const content = contentStep('gan', loss, { hr, sr: pass.sr, features: runFeatures(vgg, hr, pass.sr) });
  const second = generatorStep(pass, content, { discriminator, hr, loss });
  await downloadGradients(layouts.generator, second.gradients, ofGenerator);
  disposeTensors(first.gradients);
  disposeTensors(second.gradients);
  tf.dispose([hr, lr]);
  return { gradients: [ofGenerator, ofDiscriminator], losses: await readLosses({ ...first.losses, ...second.losses }) };
}

test('a dense weight’s gradient is the product of its factors, real rows first', async () => {
  const weight = 'dense1/weight';
  const { hr, lr } = uploadBatch(batch);
  const pass = runGenerator(generator, lr);
  const before = tf.memory().numTensors;
  const whole = discriminatorStep(discriminator, { hr, sr: pass.sr }, 'standard');
  const parts = discriminatorStep(discriminator, { hr, sr: pass.sr }, 'standard', new Set([weight]));
  expect(parts.gradients.has(weight)).toBe(false);
  const [x, dy] = Object.values(factorNames(weight)).map((name) => parts.gradients.get(name) as tf.Tensor2D);
  expect([x.shape[0], dy.shape[0]]).toEqual([2 * batch.count, 2 * batch.count]);
  const expected = whole.gradients.get(weight) as tf.Tensor2D;
  const product = tf.matMul(x, dy, true);
  const largest = tf.tidy(() => tf.max(tf.abs(expected)).dataSync()[0]);
  const error = tf.tidy(() => tf.max(tf.abs(tf.sub(product, expected))).dataSync()[0]);
  expect(error).toBeLessThan(1e-5 * largest);
  // All others are bit-identical.
  for (const [name, tensor] of parts.gradients) {
    const other = whole.gradients.get(name);
    if (other) expect([...tensor.dataSync()]).toEqual([...other.dataSync()]);
  }
  for (const { gradients, losses } of [whole, parts]) {
    disposeTensors(gradients);
    await readLosses(losses);
  }
  product.dispose();
  expect(tf.memory().numTensors).toBe(before);
  pass.dispose();
  tf.dispose([hr, lr]);
});

const memory = () => ({
  tensors: tf.memory().numTensors,
  dataIds: tf.engine().backend.numDataIds(),
  bytes: tf.memory().numBytes,
});

test('steps repeat bit for bit and leave nothing behind', async () => {
  const hash = async () => (await iterate()).gradients.map((gradients) => sha256(new Uint8Array(gradients.buffer)));
  const first = await hash();
  const before = memory();
  for (let i = 0; i < 5; i++) expect(await hash()).toEqual(first);
  expect(memory()).toEqual(before);
});

test('a pass that is disposed between the halves leaves nothing behind', () => {
  const before = memory();
  const { hr, lr } = uploadBatch(batch);
  const pass = runGenerator(generator, lr);
  const content = contentStep('content', loss, { hr, sr: pass.sr, features: runFeatures(vgg, hr, pass.sr) });
  disposeContent(content);
  pass.dispose();
  tf.dispose([hr, lr]);
  expect(memory()).toEqual(before);
});

test('the losses are those of the phase’s kind and the config', async () => {
  const half = { ...loss, adversarialWeight: 0.5 };
  const { hr, lr } = uploadBatch(batch);
  const run = async (kind: 'mse' | 'content' | 'gan', config: LossConfig) => {
    const pass = runGenerator(generator, lr);
    const features = kind !== 'mse' && config.content !== 'mse' ? runFeatures(vgg, hr, pass.sr) : undefined;
    const content = contentStep(kind, config, { hr, sr: pass.sr, features });
    const { losses, gradients } = generatorStep(
      pass,
      content,
      kind === 'gan' ? { discriminator, hr, loss: half } : undefined,
    );
    disposeTensors(gradients);
    return readLosses(losses);
  };
  const mse = await run('mse', { ...loss, totalVariationWeight: 1 });
  expect(mse).toEqual({ total: mse.content, content: mse.content });
  const plain = await run('content', { ...loss, content: 'mse', totalVariationWeight: 0 });
  expect(plain).toEqual(mse);
  const content = await run('content', loss);
  expect(Object.keys(content)).toEqual(['total', 'content', 'totalVariation']);
  expect(content.total).toBeCloseTo(content.content + 2e-8 * content.totalVariation, 7);
  const gan = await run('gan', { ...loss, totalVariationWeight: 0 });
  expect(gan.total).toBeCloseTo(gan.content + 0.5 * gan.adversarial, 7);
  tf.dispose([hr, lr]);
});

test('losses beside the content are added with their weights; their gradients, too', async () => {
  const layers = ['conv2_2', 'conv3_4'].map((layer) => ({ layer, relu: 'after' as const, scale: 1, weight: 1 }));
  const config: LossConfig = {
    ...loss,
    content: 'features',
    features: { network: 'vgg19', layers, distance: 'absolute' },
    totalVariationWeight: 0,
  };
  const { hr, lr } = uploadBatch(batch);
  const bandFilter = createBandFilter();
  const run = async (own: Partial<LossConfig>) => {
    const pass = runGenerator(generator, lr);
    const features = runFeatures({ ...vgg, features: createFeatures(convolutions, layers) }, hr, pass.sr);
    const content = contentStep('content', { ...config, ...own }, { hr, sr: pass.sr, features, bandFilter });
    const { losses, gradients } = generatorStep(pass, content, undefined);
    const vector = new Float32Array(new SharedArrayBuffer(4 * layouts.generator.length));
    await downloadGradients(layouts.generator, gradients, vector);
    disposeTensors(gradients);
    return { losses: await readLosses(losses), gradient: vector };
  };
  const spread = { weight: 0.2, layers: ['conv2_2', 'conv3_4'] };
  const before = memory();
  const alone = await run({});
  const withBands = await run({ bandWeight: 3 });
  const withSpread = await run({ spread });
  const withGrid = await run({ gridWeight: 2 });
  const all = await run({ spread, gridWeight: 2, bandWeight: 3 });
  expect(Object.keys(all.losses)).toEqual(['total', 'content', 'spread', 'grid', 'bands']);
  const { content, spread: spreadLoss, grid, bands, total } = all.losses;
  expect(total).toBeCloseTo(content + 0.2 * spreadLoss + 2 * grid + 3 * bands, 5);
  const each = [withSpread, withGrid, withBands];
  const sum = alone.gradient.map((value, i) => each.reduce((sum, one) => sum + one.gradient[i] - value, value));
  expect(relativeError(all.gradient, sum)).toBeLessThan(1e-4);
  for (const one of each) expect(relativeError(one.gradient, alone.gradient)).toBeGreaterThan(0.01);
  expect(memory()).toEqual(before);
  tf.dispose([hr, lr, bandFilter]);
});

test('gradient descent on them lowers the loss', async () => {
  const { hr, lr } = uploadBatch(batch);
  const vector = initialVector(layouts.generator, 1);
  const gradient = new Float32Array(layouts.generator.length);
  const values: number[] = [];
  for (let i = 0; i < 20; i++) {
    const parameters = uploadParameters(layouts.generator, vector);
    const pass = runGenerator({ ...generator, parameters }, lr);
    const result = generatorStep(pass, contentStep('mse', loss, { hr, sr: pass.sr }), undefined);
    await downloadGradients(layouts.generator, result.gradients, gradient);
    disposeTensors(result.gradients);
    disposeTensors(parameters);
    for (let at = 0; at < layouts.generator.parameterCount; at++) vector[at] -= 0.05 * gradient[at];
    values.push((await readLosses(result.losses)).total);
  }
  for (let i = 1; i < values.length; i++) expect(values[i]).toBeLessThan(values[i - 1]);
  tf.dispose([hr, lr]);
});

test('pictures are scaled to [-1, 1] and [0, 1]', () => {
  const levels = Uint8Array.from({ length: 3 * 16 * 16 }, (_, i) => i % 256);
  const { hr, lr } = uploadBatch({ hr: levels, lr: levels.subarray(0, 48), count: 1, crop: 16 });
  expect(hr.dataSync()[0]).toBe(-1);
  expect(hr.dataSync()[255]).toBe(1);
  expect(lr.dataSync()[0]).toBe(0);
  expect(lr.dataSync()[47]).toBeCloseTo(47 / 255, 7);
  tf.dispose([hr, lr]);
});
