import tf = require('@tensorflow/tfjs-core');
import { describe, expect, test } from 'vitest';
import { selectBackend } from './backends/backend.js';
import { probeWebgpu } from './backends/webgpu-probe.js';
import { createNetwork, largestDifference, noise, weightsOf } from './inference/test-network.js';
import { createUpscaler } from './inference/upscaler.js';
import { testLayers } from './layers/test-layers.js';
import { createDiscriminator, createGenerator } from './networks/networks.js';
import { disposeTensors, downloadGradients } from './networks/transfer.js';
import { testAgainstPytorch } from './test-against-pytorch.js';
import { testFeatureLosses } from './test-feature-losses.js';
import { referenceIteration } from './test-reference.js';
import { onOneThread, relativeError } from './test-support.js';
import { contentStep, discriminatorStep, generatorStep, readLosses, runGenerator } from './training/steps.js';
import { lacks } from '../../../test/support/needs.mjs';

/*
 * All that a backend must compute, on WebGPU. It is one file, since a driver compiles a kernel once for a process, and SwiftShader's
 * compiler takes most of the time.
 */

const here = probeWebgpu();

/** Losses and gradients, by name, of an iteration of the reference's networks on the current backend. */
async function iterate(kind: 'mse' | 'gan') {
  const { reference, generatorConfig, discriminatorConfig, layouts, loss, upload } = referenceIteration();
  const generator = { layer: createGenerator(generatorConfig, 'training'), parameters: upload('generator') };
  const discriminator = { layer: createDiscriminator(discriminatorConfig), parameters: upload('discriminator') };
  const [lr, hr] = [reference.tensor('lr'), reference.tensor('hr')];
  const pass = runGenerator(generator, lr);
  const first = kind === 'gan' ? discriminatorStep(discriminator, hr, pass.sr, 'standard') : undefined;
  const content = contentStep(kind, loss, undefined, hr, pass.sr);
  const second = generatorStep(pass, content, first && { discriminator, hr, loss });
  const found: Record<string, Float32Array> = {};
  for (const [network, result] of Object.entries({ generator: second, discriminator: first })) {
    if (!result) continue;
    const layout = layouts[network as keyof typeof layouts];
    const vector = new Float32Array(layout.length);
    await downloadGradients(layout, result.gradients, vector);
    disposeTensors(result.gradients);
    for (const { name, offset, sizeElements } of layout.tensors) {
      found[`${network}/${name}`] = vector.subarray(offset, offset + sizeElements);
    }
  }
  const losses = await readLosses({ ...first?.losses, ...second.losses });
  for (const [name, value] of Object.entries(losses)) found[`loss/${name}`] = Float32Array.of(value);
  for (const { parameters } of [generator, discriminator]) disposeTensors(parameters);
  tf.dispose([lr, hr]);
  return found;
}

describe.skipIf(lacks('webgpu', here.found, here.detail))('webgpu (after npm run setup:webgpu -- --software)', () => {
  describe('layers', () => testLayers('webgpu'));
  describe('against PyTorch in float64', () => testAgainstPytorch('webgpu'));
  describe('content losses against PyTorch in float64', () => testFeatureLosses('webgpu'));

  test.each(['mse', 'gan'] as const)(
    'losses and gradients of an iteration of %s are wasm’s; the same bits again',
    async (kind) => {
      await selectBackend(onOneThread('wasm'));
      const expected = await iterate(kind);
      await selectBackend(onOneThread('webgpu'));
      const found = await iterate(kind);
      expect(Object.keys(found)).toEqual(Object.keys(expected));
      const errors = Object.entries(found).map(([name, values]) => [name, relativeError(values, expected[name])]);
      expect(errors.filter(([, error]) => !(Number(error) < 1e-4))).toEqual([]);
      expect(await iterate(kind)).toEqual(found);
    },
  );

  test('a picture is upscaled to what wasm makes of it, but for a grey level', async () => {
    const config = { channels: 8, blocks: 2 };
    await selectBackend(onOneThread('wasm'));
    const weights = await weightsOf(createNetwork(config), config);
    const expected = await createUpscaler(weights, 'reflection').upscale(noise(30, 20), 16);
    await selectBackend(onOneThread('webgpu'));
    const found = await createUpscaler(weights, 'reflection').upscale(noise(30, 20), 16);
    expect(largestDifference(found, expected)).toBeLessThanOrEqual(1);
  });
});
