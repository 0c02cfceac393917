import { readFile, writeFile } from 'node:fs/promises';
import { probeBackends } from '@fourfold/model';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freezeAt, frozenAt } from './support/freeze/freeze.js';
import { expectFinished, killAll, type Process } from './support/process.js';
import {
  expectSameEnd,
  onceJoined,
  prepareSmallRuns,
  startCoordinator,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRun,
  type SmallRuns,
} from './support/small-run.js';
import { lacks } from './support/needs.mjs';

/*
 * Runs on WebGPU. Networks, crops and processes are few and small: on SwiftShader each dispatch takes about a millisecond, whatever its size.
 */

const webgpu = probeBackends().find(({ backend }) => backend === 'webgpu')!;

const smaller = (text: string, backend: string) =>
  text
    .replace(/backend: \w+/, `backend: ${backend}`)
    .replace(/data: .*/, 'data: { globalBatch: 2, replicas: 2, crop: 16, cropsPerPicture: 40, windowPictures: 4 }')
    .replace('iterations: 3,', 'iterations: 17,')
    .replace('iterations: 5,', 'iterations: 3,');

describe.skipIf(lacks('webgpu', webgpu.found, webgpu.detail))(
  'webgpu (after npm run setup:webgpu -- --software)',
  () => {
    let runs: SmallRuns;
    beforeAll(async () => {
      runs = await prepareSmallRuns('webgpu');
    });
    afterEach(killAll);
    afterAll(() => runs.remove());

    async function createRun(name: string, backend: 'wasm' | 'webgpu'): Promise<SmallRun> {
      const run = await runs.create(name);
      await writeFile(run.configPath, smaller(await readFile(run.configPath, 'utf8'), backend));
      return run;
    }

    /** Train on one worker; the content losses of the generator's updates. */
    async function contentLosses(run: SmallRun): Promise<number[]> {
      const coordinator = startCoordinator(run);
      startWorkers(run, 1);
      await expectFinished(coordinator);
      return contentOf(coordinator);
    }

    test('20 iterations have the content losses of wasm; a killed worker leaves the weights of one worker', async () => {
      const alone = await createRun('one-worker', 'webgpu');
      const [losses, expected] = [await contentLosses(alone), await contentLosses(await createRun('wasm', 'wasm'))];
      expect(expected).toHaveLength(20);
      const errors = losses.map((loss, i) => Math.abs(loss / expected[i] - 1));
      expect(errors.filter((error) => !(error < 1e-3))).toEqual([]);

      const run = await createRun('killed', 'webgpu');
      const coordinator = startCoordinator(run, ...onceJoined(2));
      const lease = { event: 'lease', iteration: [1, 2, 3] };
      const killed = startPart('worker', run, freezeAt(runs.folder, lease));
      startWorkers(run, 1);
      await frozenAt(killed, lease);
      killed.child.kill('SIGKILL');
      await coordinator.waitFor(({ event }) => event === 'worker-lost', 'its loss');
      await expectSameEnd(run, coordinator, await weightsOf(alone));
    });
  },
);

const contentOf = ({ events }: Process): number[] =>
  events
    .filter(({ event, network }) => event === 'update' && network === 'generator')
    .map(({ losses }) => (losses as { content: number }).content);
