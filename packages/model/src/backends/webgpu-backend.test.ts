import tf = require('@tensorflow/tfjs-core');
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { kernels } from '../kernels/kernels.js';
import { onOneThread } from '../test-support.js';
import { selectBackend } from './backend.js';
import { probeWebgpu } from './webgpu-probe.js';
import { lacks } from '../../../../test/support/needs.mjs';

const here = probeWebgpu();

describe.skipIf(lacks('webgpu', here.found, here.detail))('webgpu (after npm run setup:webgpu -- --software)', () => {
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
