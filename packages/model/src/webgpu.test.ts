import tf = require('@tensorflow/tfjs-core');
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Network } from '@fourfold/common';
import { describe, expect, test } from 'vitest';
import { selectBackend } from './backends/backend.js';
import { probeWebgpu } from './backends/webgpu-probe.js';
import { createNetwork, largestDifference, noise, weightsOf } from './inference/test-network.js';
import { createUpscaler } from './inference/upscaler.js';
import { testKernels } from './kernels/webgpu/test-kernels.js';
import { testLayers } from './layers/test-layers.js';
import { createDiscriminator } from './networks/discriminator.js';
import { createGenerator } from './networks/networks.js';
import { disposeTensors, downloadGradients } from './networks/transfer.js';
import { testAgainstPytorch } from './test-against-pytorch.js';
import { testFeatureLosses } from './test-feature-losses.js';
import { referenceIteration } from './test-reference.js';
import { smallHalf, smallNetworks, type Held } from './test-small-steps.js';
import { onOneThread, relativeError } from './test-support.js';
import { contentStep } from './training/content-step.js';
import { discriminatorStep, generatorStep, readLosses, runGenerator } from './training/steps.js';
import { lacks } from '../../../test/support/needs.mjs';

/*
 * All that a backend must compute, on WebGPU. It is one file, since a driver compiles a kernel once for a process.
 */

const here = probeWebgpu();

/** Losses and gradients, by name, of an iteration of the reference's networks on the current backend. */
async function iterate(kind: 'mse' | 'gan') {
  const { reference, generatorConfig, discriminatorConfig, layouts, loss, upload } = referenceIteration();
  const generator = { layer: createGenerator(generatorConfig, 'training'), parameters: upload('generator') };
  const discriminator = { ...createDiscriminator(discriminatorConfig), parameters: upload('discriminator') };
  const [lr, hr] = [reference.tensor('lr'), reference.tensor('hr')];
  const pass = runGenerator(generator, lr);
  const first = kind === 'gan' ? discriminatorStep(discriminator, { hr, sr: pass.sr }, 'standard') : undefined;
  const content = contentStep(kind, loss, { hr, sr: pass.sr });
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

/** By how much the process goes up and down while it holds the same. */
const waveMiB = 16;

/** What a process of its own holds during small steps: in this one other tests leave garbage. */
async function heldInSmallSteps(steps: number): Promise<Held[]> {
  const program = `
    import { selectBackend } from ${JSON.stringify(new URL('../dist/backends/backend.js', import.meta.url).href)};
    import { smallSteps } from ${JSON.stringify(new URL('../dist/test-small-steps.js', import.meta.url).href)};
    await selectBackend(${JSON.stringify(onOneThread('webgpu'))});
    const held = JSON.stringify(await smallSteps(${steps}));
    // Dawn keeps the process alive.
    process.stdout.write(held, () => process.exit());
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--input-type=module', '-e', program]);
  return JSON.parse(stdout) as Held[];
}

describe.skipIf(lacks('webgpu', here.found, here.detail))('webgpu (after npm run setup:webgpu -- --software)', () => {
  describe('kernels', testKernels);
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

  /** Each kind of parameter at a network's beginning and at its end, from which it has the shortest way to a loss. */
  const places = /^(head|tail|trunk|conv1|bn8|dense2)/;

  test('NaN in a parameter of any kind is among the gradients of its network', async () => {
    await selectBackend(onOneThread('webgpu'));
    const networks = smallNetworks();
    const hasNaN = async (network: Network) => (await smallHalf(networks, network, 100)).includes(NaN);
    const hidden: string[] = [];
    for (const network of ['generator', 'discriminator'] as const) {
      expect(await hasNaN(network)).toBe(false);
      for (const { name, kind, offset, sizeElements } of networks.layouts[network].tensors) {
        if (kind !== 'parameter' || !places.test(name)) continue;
        const values = networks.vectors[network].subarray(offset, offset + sizeElements);
        const before = values.slice();
        values.fill(NaN);
        if (!(await hasNaN(network))) hidden.push(`${network}/${name}`);
        values.set(before);
      }
    }
    expect(hidden).toEqual([]);
    disposeTensors(networks.generator.parameters);
    disposeTensors(networks.discriminator.parameters);
  });

  test('300 small steps hold no more memory, on the device or in the process', async () => {
    const held = await heldInSmallSteps(300);
    expect(held.at(-1)!.step).toBe(300);
    expect(held.map(({ device }) => device)).toEqual(held.map(() => held[0].device));
    const least = (from: number, to: number) =>
      Math.min(...held.filter(({ step }) => step > from && step <= to).map(({ residentMiB }) => residentMiB));
    expect(least(150, 300)).toBeLessThan(least(0, 150) + waveMiB);
  });

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
