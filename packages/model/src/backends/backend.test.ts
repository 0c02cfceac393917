import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { probeBackends, selectBackend } from './backend.js';
import { onOneThread } from '../test-support.js';
import { lacks } from '../../../../test/support/needs.mjs';

const run = promisify(execFile);
const modelUrl = new URL('../../dist/index.js', import.meta.url).href;
const coreUrl = import.meta.resolve('@tensorflow/tfjs-core');

/** Run a convolution with `threads` threads in a process of its own, in its main thread or in a worker_thread. */
async function compute(threads: number, where: 'main' | 'worker'): Promise<{ threads: number; sum: number }> {
  const program = `
    import { Worker, isMainThread } from 'node:worker_threads';
    import { fileURLToPath } from 'node:url';
    import { selectBackend } from ${JSON.stringify(modelUrl)};
    import * as tf from ${JSON.stringify(coreUrl)};
    const { threads } = await selectBackend({ backend: 'wasm', device: 'auto', precision: 'f32', threads: ${threads} });
    const x = tf.reshape(tf.range(0, 32 * 32 * 8), [1, 32, 32, 8]);
    const filter = tf.fill([3, 3, 8, 8], 0.125);
    const sum = tf.sum(tf.conv2d(x, filter, 1, 'same')).dataSync()[0];
    console.log(JSON.stringify({ threads, sum }));
  `;
  const source =
    where === 'main'
      ? program
      : `import { Worker } from 'node:worker_threads';
         new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(program)})));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', source], { timeout: 30_000 });
  return JSON.parse(stdout) as { threads: number; sum: number };
}

test('wasm uses the requested number of threads, on any thread, and its process exits', async () => {
  const [alone, two, inWorker] = [await compute(1, 'main'), await compute(2, 'main'), await compute(2, 'worker')];
  expect([alone.threads, two.threads, inWorker.threads]).toEqual([1, 2, 2]);
  expect(two.sum / alone.sum).toBeCloseTo(1, 6);
  expect(inWorker.sum).toBe(two.sum);
});

test('every backend is found or says why it is not', async () => {
  const probes = probeBackends();
  expect(probes.map(({ backend }) => backend)).toEqual(['torch', 'tensorflow', 'webgpu', 'wasm', 'cpu']);
  expect(probes.filter(({ found }) => found).map(({ backend }) => backend)).toEqual(
    expect.arrayContaining(['wasm', 'cpu']),
  );
  for (const { backend, found, detail } of probes) {
    if (!found)
      await expect(selectBackend(onOneThread(backend))).rejects.toThrow(`backend ${backend}: ${detail.split(';')[0]}`);
  }
});

test.skipIf(
  lacks(
    'torch',
    probeBackends().some(({ backend, found }) => backend === 'torch' && found),
  ),
)('torch says which precision it computes in', async () => {
  for (const precision of ['tf32', 'bf16', 'f32'] as const) {
    expect(await selectBackend({ ...onOneThread('torch'), precision })).toMatchObject({ precision });
  }
});

test('a precision or a device that a backend does not support is refused', async () => {
  const wasm = onOneThread('wasm');
  await expect(selectBackend({ ...wasm, precision: 'bf16' })).rejects.toThrow('precision bf16 needs the torch backend');
  await expect(selectBackend({ ...wasm, device: 'cuda:1' })).rejects.toThrow('device cuda:1 needs the torch backend');
});

test('auto takes the best available backend', async () => {
  const best = probeBackends().find(({ found, onlyByName }) => found && !onlyByName)?.backend;
  expect(await selectBackend(onOneThread('auto'))).toMatchObject({ backend: best, threads: 1, precision: 'f32' });
});
