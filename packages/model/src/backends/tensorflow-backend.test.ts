import tf = require('@tensorflow/tfjs-core');
import '@tensorflow/tfjs-backend-cpu';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { randomStream } from '@fourfold/common';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { initialVector, discriminatorLayout, generatorLayout, featureLayout, vggConvolutions } from '@fourfold/weights';
import { createFeatures } from '../networks/features.js';
import { createDiscriminator } from '../networks/discriminator.js';
import { createGenerator } from '../networks/networks.js';
import { contentStep } from '../training/content-step.js';
import { runFeatures } from '../training/feature-pass.js';
import { discriminatorStep, generatorStep, readLosses, runGenerator } from '../training/steps.js';
import { probeTensorflow, startTensorflow } from './tensorflow-backend.js';
import { relativeError, vgg54Loss } from '../test-support.js';
import { disposeTensors, downloadGradients, uploadBatch, uploadParameters } from '../networks/transfer.js';
import { lacks } from '../../../../test/support/needs.mjs';

const here = probeTensorflow();
const run = promisify(execFile);

const configs = {
  generator: { channels: 8, blocks: 1 },
  discriminator: { channels: 4, head: 'dense' as const, dense: 8 },
};
const groups = [2, 2, 4, 4, 4].map((convolutions) => ({ convolutions, width: 4 }));
const convolutions = vggConvolutions(groups);
const crop = 32;
const layouts = [
  generatorLayout(configs.generator),
  discriminatorLayout(configs.discriminator, crop),
  featureLayout('vgg19', convolutions),
] as const;
const loss = vgg54Loss;

function pixels(size: number, key: string): Uint8Array {
  const random = randomStream('pixels', key);
  return Uint8Array.from({ length: size }, () => random.below(256));
}

/** Losses and both networks' gradients of a gan iteration on the current backend, which keeps no tensor of it. */
async function iterate() {
  const [ofGenerator, ofDiscriminator, ofVgg] = layouts.map((layout) =>
    uploadParameters(layout, initialVector(layout, 1)),
  );
  const discriminator = { ...createDiscriminator(configs.discriminator), parameters: ofDiscriminator };
  const vgg = { features: createFeatures(convolutions, [{ layer: 'conv5_4', relu: 'after' }]), parameters: ofVgg };
  const { hr, lr } = uploadBatch({
    ...{ hr: pixels(2 * crop * crop * 3, 'hr'), lr: pixels(2 * 8 * 8 * 3, 'lr') },
    ...{ count: 2, crop },
  });
  const pass = runGenerator({ layer: createGenerator(configs.generator, 'training'), parameters: ofGenerator }, lr);
  const first = discriminatorStep(discriminator, { hr, sr: pass.sr }, 'standard');
  const second = generatorStep(
    pass,
    contentStep('gan', loss, { hr, sr: pass.sr, features: runFeatures(vgg, hr, pass.sr) }),
    { discriminator, hr, loss },
  );
  const gradients: Float32Array[] = [];
  for (const [i, result] of [second, first].entries()) {
    const vector = new Float32Array(layouts[i].length);
    await downloadGradients(layouts[i], result.gradients, vector);
    disposeTensors(result.gradients);
    gradients.push(vector);
  }
  const losses = await readLosses({ ...first.losses, ...second.losses });
  for (const parameters of [ofGenerator, ofDiscriminator, ofVgg]) disposeTensors(parameters);
  tf.dispose([hr, lr]);
  return { losses, gradients };
}

test('an iteration on tensorflow equals plain JavaScript, repeats bit for bit and leaves nothing behind', async ({
  skip,
}) => {
  skip(lacks('tensorflow', here.found, here.detail));
  await tf.setBackend('cpu');
  const expected = await iterate();
  const info = await startTensorflow(2);
  expect(info.version).toMatch(/^4\.22\.0\+tensorflow-2\.\d+\.\d+/);
  expect(tf.getBackend()).toBe('tensorflow');
  const first = await iterate();
  const before = { tensors: tf.memory().numTensors, dataIds: tf.engine().backend.numDataIds() };
  expect(await iterate()).toEqual(first);
  expect({ tensors: tf.memory().numTensors, dataIds: tf.engine().backend.numDataIds() }).toEqual(before);
  for (const [name, value] of Object.entries(expected.losses)) {
    expect(Math.abs(first.losses[name] / value - 1), name).toBeLessThan(1e-5);
  }
  for (const [i, gradient] of first.gradients.entries()) {
    expect(relativeError(gradient, expected.gradients[i])).toBeLessThan(1e-4);
  }
});

/** The sum of a convolution on tensorflow in its own process, and how many threads Linux counts in addition after it. */
async function compute(threads: number, where: 'main' | 'SHARE_ENV' | 'undefined') {
  const program = `
    import { existsSync, readdirSync } from 'node:fs';
    import { startTensorflow } from ${JSON.stringify(new URL('../../dist/backends/tensorflow-backend.js', import.meta.url).href)};
    import * as tf from ${JSON.stringify(import.meta.resolve('@tensorflow/tfjs-core'))};
    const count = () => (existsSync('/proc/self/task') ? readdirSync('/proc/self/task').length : 0);
    const before = count();
    await startTensorflow(${threads});
    const x = tf.reshape(tf.range(0, 8 * 32 * 32 * 8), [8, 32, 32, 8]);
    const sum = tf.sum(tf.conv2d(x, tf.fill([3, 3, 8, 8], 0.1), 1, 'same')).dataSync()[0];
    console.log(JSON.stringify({ sum, more: count() - before }));
  `;
  const source =
    where === 'main'
      ? program
      : `import { SHARE_ENV, Worker } from 'node:worker_threads';
         new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(program)})), { env: ${where} });`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', source], { timeout: 60_000 });
  return JSON.parse(stdout) as { sum: number; more: number };
}

test('tensorflow uses the requested number of threads, also in a thread that shares its environment', async ({
  skip,
}) => {
  skip(lacks('tensorflow', here.found, here.detail));
  const three = await compute(3, 'main');
  if (process.platform === 'linux') expect(three.more - (await compute(1, 'main')).more).toBe(2);
  expect(await compute(3, 'SHARE_ENV')).toEqual(three);
  await expect(compute(3, 'undefined')).rejects.toThrow('SHARE_ENV');
});

describe('an unusable set-up', () => {
  const cache = mkdtempSync(join(tmpdir(), 'fourfold-'));
  beforeEach(({ skip }) => {
    vi.stubEnv('XDG_CACHE_HOME', cache);
    const { found, detail } = probeTensorflow();
    skip(lacks('no-tensorflow', !found, `the repository has its own: ${detail}`));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true, force: true });
  });

  /** The probe's answer for a cache folder with a record of a package, of this version if given. */
  function probeWith(version?: string, platform = `${process.platform}-${process.arch}`) {
    const folder = join(cache, 'fourfold', 'tensorflow');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'build.json'), JSON.stringify({ package: folder, platform }));
    if (version)
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: '@tensorflow/tfjs-node', version }));
    return probeTensorflow();
  }

  test.for([
    ['gone', undefined, /is no longer in/],
    ['of another version', '4.10.0', /is version 4\.10\.0, but 4\.22\.0 is needed/],
    ['without an addon', '4.22.0', /has no addon/],
  ] as const)('%s', ([, version, words]) => {
    const { found, detail } = probeWith(version);
    expect(found).toBe(false);
    expect(detail).toMatch(words);
    expect(detail).toContain('npx fourfold setup tensorflow');
  });

  test('of another platform: ignored', async () => {
    expect(probeWith('4.22.0', 'plan9-mips').detail).toMatch(/not installed/);
    await expect(startTensorflow(1)).rejects.toThrow('backend tensorflow: tfjs-node is not installed');
  });
});
