import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadRunConfig } from '@fourfold/common';
import { discriminatorLayout, generatorLayout } from '@fourfold/model/layout';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { killAll, type LogEvent, type Process } from './support/process.js';
import { prepareSmallRuns, startCoordinator, startWorkers, type SmallRuns } from './support/small-run.js';

/*
 * What a long run holds is what a short one holds. The networks and crops are as small as they can be: what would leak is
 * of an iteration (tensors, buffers, calls, listeners), and counts 2,000 times all the same.
 */

let runs: SmallRuns;
beforeAll(async () => {
  runs = await prepareSmallRuns();
}, 60_000);
afterEach(killAll);
afterAll(() => runs.remove());

const [early, late] = [200, 2000];
/** What V8 has collected when we look, and what it has not, differs by this much. */
const slackMiB = 12;

const config = (text: string) =>
  text
    .replace(/generator: .*/, 'generator: { channels: 4, blocks: 1 }')
    .replace(/data: .*/, 'data: { globalBatch: 2, replicas: 1, crop: 16, cropsPerPicture: 1000, windowPictures: 4 }')
    .replace(/phases:\n(.*\n)*?(?=\w)/, phases)
    .replace(/checkpoints: .*/, 'checkpoints: { every: 500 }');

const phases = `phases:
  - { kind: gan, iterations: 600, learningRate: 1.0e-4 }
  - { kind: mse, iterations: 800, learningRate: 1.0e-4 }
  - { kind: gan, iterations: 600, learningRate: 1.0e-4 }
`;

async function residentMiB({ child }: Process): Promise<number> {
  const text = await readFile(join('/proc', String(child.pid), 'status'), 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
}

/** The generator has had `count` updates, and everything that follows is still to come. */
const done =
  (count: number) =>
  ({ event, ...fields }: LogEvent) =>
    event === 'update' && fields['network'] === 'generator' && fields['iteration'] === count - 1;

test('after 2,000 iterations worker and coordinator hold what they held after 200, and no tensor is left over', async () => {
  const run = await runs.create('long');
  await writeFile(run.configPath, config(await readFile(run.configPath, 'utf8')));
  const coordinator = startCoordinator(run);
  const [worker] = startWorkers(run, 1);
  const resident = async (count: number) => {
    await coordinator.waitFor(done(count), `iteration ${count}`, 300_000);
    return { worker: await residentMiB(worker), coordinator: await residentMiB(coordinator) };
  };
  const before = await resident(early);
  const after = await resident(late - 1);
  for (const part of ['worker', 'coordinator'] as const) {
    expect(after[part], `${part}, ${before[part]} MiB before`).toBeLessThan(before[part] * 1.05 + slackMiB);
  }
  expect(await coordinator.exit, coordinator.errors.join('\n')).toEqual({ code: 0, signal: null });
  expect(await worker.exit).toEqual({ code: 0, signal: null });
  const { generator, discriminator, data } = await loadRunConfig(run.configPath);
  const parameters =
    generatorLayout(generator).tensors.length + discriminatorLayout(discriminator, data.crop).tensors.length;
  expect(worker.events.find(({ event }) => event === 'left')?.['tensors']).toBe(parameters);
}, 360_000);
