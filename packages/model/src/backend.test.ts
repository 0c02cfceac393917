import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { probeBackends, selectBackend } from './backend.js';

const run = promisify(execFile);
const modelUrl = new URL('../dist/index.js', import.meta.url).href;
const coreUrl = import.meta.resolve('@tensorflow/tfjs-core');

/** Run a convolution with `threads` threads in a process of its own, in its main thread or in a worker_thread. */
async function compute(threads: number, where: 'main' | 'worker'): Promise<{ threads: number; sum: number }> {
  const program = `
    import { Worker, isMainThread } from 'node:worker_threads';
    import { fileURLToPath } from 'node:url';
    import { selectBackend } from ${JSON.stringify(modelUrl)};
    import * as tf from ${JSON.stringify(coreUrl)};
    const { threads } = await selectBackend('wasm', ${threads});
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

test('wasm computes with the threads it is asked for, anywhere, and its process ends by itself', async () => {
  const [alone, two, inWorker] = [await compute(1, 'main'), await compute(2, 'main'), await compute(2, 'worker')];
  expect([alone.threads, two.threads, inWorker.threads]).toEqual([1, 2, 2]);
  expect(two.sum / alone.sum).toBeCloseTo(1, 6);
  expect(inWorker.sum).toBe(two.sum);
});

test('every backend is found or says why not', async () => {
  const probes = probeBackends();
  expect(probes.map(({ backend, found }) => [backend, found])).toEqual([
    ['torch', false],
    ['tensorflow', false],
    ['wasm', true],
    ['cpu', true],
  ]);
  await expect(selectBackend('torch', 1)).rejects.toThrow('backend torch:');
});

test('auto takes the best there is', async () => {
  expect(await selectBackend('auto', 1)).toMatchObject({ backend: 'wasm', threads: 1, precision: 'f32' });
});
