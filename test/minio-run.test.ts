import { readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { listCheckpoints } from '@fourfold/store';
import { findProgram, startMinio, type LocalMinio } from '@fourfold/local-servers';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { expectFinished, killAll, startFourfold, type LogEvent, type Process } from './support/process.js';
import {
  prepareSmallRuns,
  referenceWeights,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRun,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';
import { lacks } from './support/needs.mjs';

/*
 * A run whose dataset, terms and checkpoints are in a real MinIO has the weights of the same run in a folder.
 */

const second = { event: 'update', iteration: 1 };

/** Run to the end; what `during` does begins at the second update, where the coordinator is frozen. */
async function runToEnd(run: SmallRun, folder: string, during: (coordinator: Process) => Promise<void>) {
  const coordinator = startPart('coordinator', run, freezeAt(folder, second));
  const [worker] = startWorkers(run, 1);
  await frozenAt(coordinator, second);
  await during(coordinator);
  await expectFinished(coordinator);
  await expectFinished(worker);
  return coordinator.events;
}

const updates = (events: LogEvent[]) => events.filter(({ event }) => event === 'update').length;

describe.skipIf(lacks('servers', !!findProgram('minio')))('MinIO (after npm run setup:servers)', () => {
  let minio: LocalMinio;
  let inMinio: SmallRuns;
  let reference: Weights;

  beforeAll(async () => {
    minio = await startMinio();
    Object.assign(process.env, minio.environment);
    inMinio = await prepareSmallRuns('wasm', 's3://fourfold/small');
    reference = await referenceWeights();
  });
  afterEach(killAll);
  afterAll(async () => {
    await inMinio.remove();
    await minio.stop();
  });

  test('fourfold train: the same weights as in a folder; its log is not beside the checkpoints but below out', async () => {
    const run = await inMinio.create('trained');
    expect(run.store.url).toBe('s3://fourfold/small/store/trained/runs/trained');
    const training = startFourfold(['train', run.configPath]);
    await expectFinished(training);
    expect(training.output().trim()).toBe(`${run.store.url}/checkpoints/00000008-0001`);
    expect(await readFile('out/runs/trained/train.log', 'utf8')).toContain('"event":"checkpoint"');
    await rm('out/runs/trained', { recursive: true });
    expect(await weightsOf(run)).toEqual(reference);
    expect((await run.store.list('terms/')).map(({ key }) => key)).toEqual([
      'terms/00000001.from-nothing.json',
      'terms/00000001.json',
    ]);
  });

  test('MinIO killed in the middle only pauses the run, which says what it waits for', async () => {
    const run = await inMinio.create('killed');
    const events = await runToEnd(run, inMinio.folder, async (coordinator) => {
      await minio.kill();
      thaw(coordinator);
      // Updates go on until the checkpoint at the phase's end is due.
      for (const name of ['store-waiting', 'checkpoint-late'])
        await coordinator.waitFor(({ event }) => event === name, name);
      const paused = updates(coordinator.events);
      await delay(1_000);
      expect(updates(coordinator.events)).toBe(paused);
      await minio.start();
    });
    expect(await weightsOf(run)).toEqual(reference);
    const waits = events.filter(({ event }) => event === 'store-waiting');
    // A slow answer before it was killed is waited for, too.
    expect(waits).toContainEqual(
      expect.objectContaining({
        role: 'store',
        name: expect.stringMatching(/^s3:\/\/fourfold\/small\/store\/killed\/runs\/killed/) as string,
        reason: expect.stringContaining('the connection is refused') as string,
      }),
    );
    expect(events.some(({ event }) => event === 'store-back')).toBe(true);
    for (const secret of [minio.accessKey, minio.secretKey]) expect(JSON.stringify(events)).not.toContain(secret);
  });

  test('MinIO frozen for a while, and killed while a checkpoint is written: a partial checkpoint is never listed', async () => {
    const run = await inMinio.create('frozen');
    await runToEnd(run, inMinio.folder, async (coordinator) => {
      await minio.freeze();
      thaw(coordinator);
      await delay(2_000);
      minio.thaw();
      await coordinator.waitFor(({ event }) => event === 'checkpoint', 'a checkpoint');
      await minio.freeze();
      await delay(500);
      await minio.kill();
      await minio.start();
      for (const name of await listCheckpoints(run.store)) {
        const files = (await run.store.list(`checkpoints/${name}/`)).map(({ key }) => key.split('/').at(-1));
        expect(files).toEqual(expect.arrayContaining(['generator.safetensors', 'generator-adam.safetensors']));
      }
    });
    expect(await weightsOf(run)).toEqual(reference);
  });
});
