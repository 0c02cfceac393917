import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { checkpointStore, listCheckpoints, readRunRecord, verifyCheckpoint } from '@fourfold/store';
import { findProgram, startMinio, type LocalMinio } from '@fourfold/local-servers';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { startHoldingProxy } from './support/holding-proxy.js';
import { expectFinished, killAll, type LogEvent } from './support/process.js';
import {
  prepareSmallRuns,
  referenceWeights,
  startCoordinator,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRun,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';
import { lacks } from './support/needs.mjs';

/*
 * Checkpoints go into a real MinIO while training continues, and whatever happens to an upload, a partial checkpoint is never
 * visible.
 */

/** Iterations done, in the order of the log. */
const done = (events: LogEvent[]) =>
  events.flatMap(({ event, network, iteration }) =>
    event === 'update' && network === 'generator' ? [Number(iteration) + 1] : [],
  );
const isDone = (count: number) => (event: LogEvent) => done([event])[0] === count;
const isEvent = (name: string) => (event: LogEvent) => event.event === name;

describe.skipIf(lacks('servers', !!findProgram('minio')))('beside training (MinIO after npm run setup:servers)', () => {
  let minio: LocalMinio;
  let runs: SmallRuns;
  let reference: Weights;
  const proxies: Awaited<ReturnType<typeof startHoldingProxy>>[] = [];

  beforeAll(async () => {
    minio = await startMinio();
    Object.assign(process.env, minio.environment);
    runs = await prepareSmallRuns('wasm', 's3://fourfold/small');
    reference = await referenceWeights();
  });
  afterEach(async () => {
    minio.thaw();
    await killAll();
    for (const proxy of proxies.splice(0)) proxy.close();
  });
  afterAll(async () => {
    await runs.remove();
    await minio.stop();
  });

  /** A coordinator whose first upload of the file is held. */
  async function startHeld(run: SmallRun, file: RegExp, ...freezes: LogEvent[]) {
    const proxy = await startHoldingProxy(Number(new URL(minio.endpoint).port), file);
    proxies.push(proxy);
    const far = { FOURFOLD_S3_ENDPOINT: `http://127.0.0.1:${proxy.port}` };
    return { proxy, coordinator: startPart('coordinator', run, { ...far, ...freezeAt(runs.folder, ...freezes) }) };
  }

  test('MinIO frozen: updates go on past a checkpoint that is due, to the end of the schedule', async () => {
    const run = await runs.create('frozen');
    // Due after 3 iterations, where a phase ends, after 5, and after 8, at the end.
    const second = { event: 'update', network: 'generator', iteration: 1 };
    const settings = ['--set', 'checkpoints.every=5'];
    const coordinator = startPart('coordinator', run, freezeAt(runs.folder, second), ...settings);
    const [worker] = startWorkers(run, 1);
    await frozenAt(coordinator, second);
    await minio.freeze();
    thaw(coordinator);
    const late = await coordinator.waitFor(isEvent('checkpoint-late'), 'a late checkpoint');
    expect(late).toMatchObject({ iteration: 5, reason: 'the checkpoint of iteration 3 is still being written' });
    await coordinator.waitFor(isDone(8), 'the last iteration');
    expect(coordinator.events.some(isEvent('checkpoint'))).toBe(false);
    minio.thaw();
    await expectFinished(coordinator);
    await expectFinished(worker);
    expect(await weightsOf(run)).toEqual(reference);
    expect(await listCheckpoints(run.store)).toEqual(['00000003-0001', '00000008-0001']);
    expect(await readRunRecord(run.store)).toMatchObject({
      name: 'frozen',
      term: 1,
      seed: 7,
      dataset: 's3://fourfold/small/dataset',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
      config: { checkpoints: { every: 5, keep: 3 } },
    });
  });

  test('the coordinator killed while a checkpoint is uploaded: the run goes on from the one before', async () => {
    const run = await runs.create('killed');
    // At a phase's end: later checkpoints may be postponed.
    const { proxy, coordinator } = await startHeld(run, /^PUT .*checkpoints\/00000003-0001\/generator-adam/);
    const [worker] = startWorkers(run, 1);
    await proxy.held;
    await coordinator.waitFor(isDone(6), 'the sixth iteration');
    coordinator.child.kill('SIGKILL');
    await coordinator.exit;
    const half = async () =>
      (await run.store.list('checkpoints/00000003-0001/')).map(({ key }) => key.split('/').at(-1));
    // The files are put at once, the manifest after them.
    expect(await half()).not.toContain('generator-adam.safetensors');
    expect(await half()).not.toContain('manifest.json');
    expect((await listCheckpoints(run.store)).at(-1)).toBe('00000002-0001');

    const successor = startCoordinator(run, '--resume');
    const resumed = await successor.waitFor(isEvent('resumed'), 'a checkpoint to go on from');
    expect(resumed).toMatchObject({ checkpoint: '00000002-0001' });
    await expectFinished(successor);
    await expectFinished(worker);
    expect(await weightsOf(run)).toEqual(reference);
    expect(await half()).toEqual([]);
    expect(await readRunRecord(run.store)).toMatchObject({ term: 2 });
  });

  test('SIGTERM while a checkpoint is uploaded: that one and one of where the run stands, both whole', async () => {
    const run = await runs.create('stopped');
    const fifth = { event: 'update', network: 'generator', iteration: 4 };
    const file = /^PUT .*checkpoints\/00000003-0001\/discriminator-adam/;
    const { proxy, coordinator } = await startHeld(run, file, fifth);
    const [worker] = startWorkers(run, 1);
    await proxy.held;
    await frozenAt(coordinator, fifth);
    coordinator.child.kill('SIGTERM');
    thaw(coordinator);
    await coordinator.waitFor(isEvent('checkpoint-late'), 'the wait for the upload');
    proxy.release();
    expect(await coordinator.exit, coordinator.errors.join('\n')).toEqual({ code: 143, signal: null });
    const stood = done(coordinator.events).length;
    const names = await listCheckpoints(run.store);
    const iterations = names.map((name) => Number(name.split('-')[0]));
    expect(iterations).toContain(3);
    expect(iterations.at(-1)).toBe(stood);
    for (const name of names) await verifyCheckpoint(checkpointStore(run.store, name));

    const successor = startCoordinator(run, '--resume');
    await expectFinished(successor);
    await expectFinished(worker);
    expect(await weightsOf(run)).toEqual(reference);
  });
});
