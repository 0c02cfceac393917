import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadRunConfig } from '@fourfold/common';
import { probeBackends } from '@fourfold/model';
import { discriminatorLayout, generatorLayout } from '@fourfold/weights';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectFinished, killAll, type LogEvent, type Process } from './support/process.js';
import { prepareSmallRuns, startCoordinator, startWorkers, type SmallRuns } from './support/small-run.js';
import { lacks } from './support/needs.mjs';

/*
 * A long run holds no more than a short one. The networks and crops are as small as possible: leaks come from iterations
 * (tensors, buffers, calls, listeners), and show all the same.
 */

/** torch if it is set up. */
const kinds = [
  { backend: 'wasm', iterations: 1000 },
  { backend: 'torch', iterations: 1000 },
] as const;
const [torch] = probeBackends();
const found = lacks('torch', torch.found, torch.detail) ? kinds.slice(0, 1) : kinds;

/** The share of the iterations before the first sample: code is compiled, and V8's heaps grow for hundreds of iterations. */
const warmupShare = 0.3;
/** Iterations between samples. The least of many is what is held: V8 collects when it likes. */
const interval = 20;
const slackMiB = 12;

const config = (text: string, iterations: number) =>
  text
    .replace(/generator: .*/, 'generator: { channels: 4, blocks: 1 }')
    .replace(/data: .*/, 'data: { globalBatch: 2, replicas: 1, crop: 16, cropsPerPicture: 1000, windowPictures: 4 }')
    .replace(/phases:\n(.*\n)*?(?=\w)/, phases(iterations))
    .replace(/checkpoints: .*/, 'checkpoints: { every: 500 }');

const phases = (iterations: number) => `phases:
  - { kind: gan, iterations: ${0.3 * iterations}, learningRate: 1.0e-4 }
  - { kind: mse, iterations: ${0.4 * iterations}, learningRate: 1.0e-4 }
  - { kind: gan, iterations: ${0.3 * iterations}, learningRate: 1.0e-4 }
`;

/** What a process holds; infinity when it has ended before this process looks. */
async function residentMiB({ child }: Process): Promise<number> {
  const text = await readFile(join('/proc', String(child.pid), 'status'), 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1];
  return kib === undefined ? Infinity : Number(kib) / 1024;
}

/** The generator has had `count` updates, and nothing after them has happened. */
const done =
  (count: number) =>
  ({ event, ...fields }: LogEvent) =>
    event === 'update' && fields['network'] === 'generator' && fields['iteration'] === count - 1;

describe.each(found)('on $backend', ({ backend, iterations }) => {
  const warmup = warmupShare * iterations;
  let runs: SmallRuns;
  beforeAll(async () => {
    runs = await prepareSmallRuns(backend);
  });
  afterEach(killAll);
  afterAll(() => runs.remove());

  test(`after ${iterations} iterations worker and coordinator hold what they held after ${warmup}, and no tensor is left over`, async () => {
    const run = await runs.create('long');
    await writeFile(run.configPath, config(await readFile(run.configPath, 'utf8'), iterations));
    const coordinator = startCoordinator(run);
    const [worker] = startWorkers(run, 1);
    /** The least that each part holds between two iterations. */
    const held = async (from: number, to: number) => {
      const least = { worker: Infinity, coordinator: Infinity };
      for (let count = from; count < to; count += interval) {
        await coordinator.waitFor(done(count), `iteration ${count}`, 300_000);
        least.worker = Math.min(least.worker, await residentMiB(worker));
        least.coordinator = Math.min(least.coordinator, await residentMiB(coordinator));
      }
      return least;
    };
    const middle = (warmup + iterations) / 2;
    const before = await held(warmup, middle);
    const after = await held(middle, iterations);
    for (const part of ['worker', 'coordinator'] as const) {
      expect(after[part], `${part}, ${before[part]} MiB before`).toBeLessThan(before[part] + slackMiB);
    }
    await expectFinished(coordinator);
    expect(await worker.exit).toEqual({ code: 0, signal: null });
    const { generator, discriminator, data } = await loadRunConfig(run.configPath);
    const parameters =
      generatorLayout(generator).tensors.length + discriminatorLayout(discriminator, data.crop).tensors.length;
    // An attempt to join that failed has left, too, with none.
    expect(worker.events.findLast(({ event }) => event === 'left')?.['tensors']).toBe(parameters);
  }, 600_000);
});
