// A device without memory refuses with the right error and works on; a run whose worker is killed ends with the same weights.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { device, expect, folder, fourfold, inProject, isCuda, report } from './step.mjs';

await outOfMemory();
await killedWorker();

async function outOfMemory() {
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-core');
  const { registerTorch } = await import('@fourfold/tfjs-torch');
  registerTorch({ device });
  await tf.setBackend('torch');
  const codeOf = (run) => {
    try {
      tf.tidy(run);
      return 'none';
    } catch (error) {
      return error.code;
    }
  };
  const codes = {
    'one huge tensor': codeOf(() => tf.fill([2 ** 45], 1)),
    // 4 GiB each, until the device is full.
    ...(isCuda ? { 'many tensors': codeOf(() => Array.from({ length: 100 }, () => tf.fill([2 ** 30], 1))) } : {}),
  };
  const after = tf.tidy(() => tf.sum(tf.fill([1000], 2)).dataSync()[0]);
  report({ outOfMemory: codes, after });
  for (const [what, code] of Object.entries(codes)) expect(code === 'OUT_OF_MEMORY', `${what}: the error is ${code}`);
  expect(after === 2000, 'the device computes wrongly after it was out of memory');
}

async function killedWorker() {
  const dataset = join(folder, 'dataset');
  await fourfold([
    'prepare',
    '--images',
    inProject('packages/cli/dist/assets/photographs/train'),
    '--out',
    dataset,
    '--sample',
    '4',
    '--seed',
    '1',
  ]);
  const undisturbed = await weightsOf('undisturbed', 1);
  let disturbed;
  // On a busy machine a run may end before this process gets its turn.
  for (let attempt = 1; !disturbed?.killed && attempt <= 3; attempt++)
    disturbed = await weightsOf(`killed-${attempt}`, 2, killOne);
  expect(disturbed.killed, 'each run ended before its worker could be killed');
  report({ killedWorker: disturbed.killed, sameWeights: undisturbed.weights === disturbed.weights });
  expect(undisturbed.weights === disturbed.weights, 'a killed worker changes the weights');

  async function weightsOf(name, workers, disturb) {
    const store = join(folder, name);
    mkdirSync(store);
    const config = join(folder, `${name}.json`);
    writeFileSync(config, JSON.stringify(configOf(dataset, store)));
    const debug = { env: { FOURFOLD_LOG: 'debug' } };
    const training = fourfold(['train', config, '--workers', String(workers)], debug);
    const over = new AbortController();
    const killing = disturb?.(join(store, 'runs/check/train.log'), over.signal);
    const stdout = await training.finally(() => over.abort());
    const killed = await killing;
    const checkpoint = fileURLToPath(stdout.trim());
    const hash = createHash('sha256');
    for (const network of ['generator', 'discriminator'])
      hash.update(readFileSync(join(checkpoint, `${network}.safetensors`)));
    return { weights: hash.digest('hex'), killed };
  }
}

/** Kill a worker once updates are done; returns its process, or undefined if the run was over before. */
async function killOne(log, over) {
  while (!over.aborted) {
    await sleep(50);
    const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
    const events = lines.filter((line) => /^{.*}$/.test(line)).map((line) => JSON.parse(line));
    const worker = events.find(({ role, pid }) => role === 'worker' && pid);
    if (over.aborted || !worker || !events.some(({ event }) => event === 'update')) continue;
    process.kill(worker.pid, 'SIGKILL');
    return worker.pid;
  }
  return undefined;
}

/** Long enough for a kill in the middle. */
function configOf(dataset, store) {
  return {
    name: 'check',
    seed: 7,
    dataset,
    store,
    generator: { channels: 8, blocks: 1 },
    discriminator: { channels: 8, dense: 16 },
    data: { globalBatch: 2, replicas: 2, crop: 16, cropsPerPicture: 50 },
    loss: { content: 'mse' },
    phases: [
      { kind: 'mse', iterations: 20, learningRate: 1e-3 },
      { kind: 'gan', iterations: isCuda ? 200 : 60, learningRate: 1e-4 },
    ],
    workers: { backend: 'torch', device, threads: 1 },
  };
}
