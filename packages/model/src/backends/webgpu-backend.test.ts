import tf = require('@tensorflow/tfjs-core');
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createUpscaler } from '../inference/upscaler.js';
import { createNetwork, largestDifference, noise, weightsOf } from '../inference/test-network.js';
import { kernels } from '../kernels/kernels.js';
import { createDiscriminator, createGenerator } from '../networks/networks.js';
import { disposeTensors, downloadGradients } from '../networks/transfer.js';
import { referenceIteration } from '../test-reference.js';
import { onOneThread, relativeError } from '../test-support.js';
import { contentStep, discriminatorStep, generatorStep, readLosses, runGenerator } from '../training/steps.js';
import { selectBackend } from './backend.js';
import { probeWebgpu } from './webgpu-probe.js';
import { lacks } from '../../../../test/support/needs.mjs';

const here = probeWebgpu();

/** Losses and gradients of a gan iteration of the reference's networks, which keeps no tensor. */
async function iterate() {
  const { reference, generatorConfig, discriminatorConfig, layouts, loss, upload } = referenceIteration();
  const generator = { layer: createGenerator(generatorConfig, 'training'), parameters: upload('generator') };
  const discriminator = { layer: createDiscriminator(discriminatorConfig), parameters: upload('discriminator') };
  const [lr, hr] = [reference.tensor('lr'), reference.tensor('hr')];
  const pass = runGenerator(generator, lr);
  const first = discriminatorStep(discriminator, hr, pass.sr, 'standard');
  const second = generatorStep(pass, contentStep('gan', loss, undefined, hr, pass.sr), { discriminator, hr, loss });
  const losses = await readLosses({ ...first.losses, ...second.losses });
  const gradients: Record<string, Float32Array> = {};
  for (const [network, result] of Object.entries({ generator: second, discriminator: first })) {
    const layout = layouts[network as keyof typeof layouts];
    const vector = new Float32Array(layout.length);
    await downloadGradients(layout, result.gradients, vector);
    disposeTensors(result.gradients);
    for (const { name, offset, sizeElements } of layout.tensors) {
      gradients[`${network}-gradient/${name}`] = vector.subarray(offset, offset + sizeElements);
    }
  }
  for (const { parameters } of [generator, discriminator]) disposeTensors(parameters);
  tf.dispose([lr, hr]);
  return { losses, gradients, memory: { ...tf.memory(), unreliable: false } };
}

describe.skipIf(lacks('webgpu', here.found, here.detail))('webgpu (after npm run setup:webgpu -- --software)', () => {
  // The driver compiles for half a minute of CPU time.
  test(
    'an iteration equals PyTorch’s in float64, repeats bit for bit, in memory that stays',
    { timeout: 600_000 },
    async () => {
      const info = await selectBackend(onOneThread('webgpu'));
      expect(info.version).toMatch(/^4\.22\.0\+dawn-\d/);
      const { reference } = referenceIteration();
      const [first, second, third] = [await iterate(), await iterate(), await iterate()];
      const found = { ...first.gradients, ...Object.fromEntries(Object.entries(first.losses).map(([name, value]) => [`loss/${name}`, [value]])) }; // prettier-ignore
      const errors = Object.entries(found).map(([name, values]) => [
        name,
        relativeError(values, reference.get(name).data),
      ]);
      expect(errors.filter(([, error]) => !(Number(error) < 1e-5))).toEqual([]);
      for (const again of [second, third]) {
        expect(again.losses).toEqual(first.losses);
        expect(again.gradients).toEqual(first.gradients);
      }
      expect(third.memory).toEqual(second.memory);
    },
  );

  test('a picture is upscaled to what wasm makes of it, but for a grey level', { timeout: 300_000 }, async () => {
    const config = { channels: 8, blocks: 2 };
    await selectBackend(onOneThread('wasm'));
    const weights = await weightsOf(createNetwork(config), config);
    const expected = await createUpscaler(weights, 'reflection').upscale(noise(30, 20), 16);
    await selectBackend(onOneThread('webgpu'));
    const found = await createUpscaler(weights, 'reflection').upscale(noise(30, 20), 16);
    expect(largestDifference(found, expected)).toBeLessThanOrEqual(1);
  });

  test('memory that runs out is said; the next start has a new device', async () => {
    await selectBackend(onOneThread('webgpu'));
    const y = tf.tidy(() => tf.sum(tf.fill([300, 2 ** 20], 1)));
    const read = () => kernels().download([y], new Float32Array(1));
    await expect((async () => read())()).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      message: expect.stringMatching(/^backend webgpu: no memory for .*: Buffer size/) as string,
    });
    await selectBackend(onOneThread('webgpu'));
    expect(await twoTimesThree()).toBe(6);
  });

  test('a lost device is said', async () => {
    await selectBackend(onOneThread('webgpu'));
    (tf.backend() as unknown as { device: { destroy(): void } }).device.destroy();
    await expect(twoTimesThree()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^backend webgpu: the device .* was lost \(destroyed\)/) as string,
    });
    await selectBackend(onOneThread('webgpu'));
    expect(await twoTimesThree()).toBe(6);
  });

  test('a device that is not there is refused', async () => {
    const start = selectBackend({ ...onOneThread('webgpu'), device: 'gpu:none of this name' });
    await expect(start).rejects.toMatchObject({ code: 'unavailable' });
    await expect(start).rejects.toThrow(/no adapter named none of this name/);
  });

  test('without a driver it is not found', () => {
    vi.stubEnv('VK_ADD_DRIVER_FILES', '/nowhere/driver.json');
    vi.stubEnv('VK_DRIVER_FILES', '/nowhere/driver.json');
    expect(probeWebgpu()).toMatchObject({ found: false, detail: expect.stringMatching(/^no adapter/) as string });
  });
});

afterEach(() => {
  vi.unstubAllEnvs();
});

test('without a set-up it is not found, and the command is said', () => {
  const cache = mkdtempSync(join(tmpdir(), 'fourfold-'));
  vi.stubEnv('XDG_CACHE_HOME', cache);
  expect(probeWebgpu()).toEqual({ found: false, detail: 'it is not set up: run npx fourfold setup webgpu' });
  rmSync(cache, { recursive: true });
});

async function twoTimesThree(): Promise<number> {
  const value = new Float32Array(1);
  const y = tf.tidy(() => tf.mul(tf.fill([1], 2), tf.fill([1], 3)));
  try {
    await kernels().download([y], value);
  } finally {
    y.dispose();
  }
  return value[0];
}
