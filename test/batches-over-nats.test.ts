import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, startNats, type LocalNats } from '@fourfold/local-servers';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { expectFinished, killAll, startFourfold, type LogEvent, type Process } from './support/process.js';
import {
  onceJoined,
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
import { alert } from './support/timing.js';
import { lacks } from './support/needs.mjs';

/*
 * A run whose batches come from data-loaders over a real NATS has the same weights as the run without them, whatever happens to
 * data-loaders and NATS on the way.
 */

const overNats = 'batches: { from: nats, lateMs: 500, announceMs: 200 }\n';

describe.skipIf(lacks('servers', !!findProgram('nats-server')))(
  'batches over NATS (after npm run setup:servers)',
  () => {
    let nats: LocalNats;
    let runs: SmallRuns;
    let reference: Weights;

    beforeAll(async () => {
      nats = await startNats();
      process.env['FOURFOLD_NATS_URL'] = `nats://${nats.address}`;
      runs = await prepareSmallRuns();
      reference = await referenceWeights();
    });
    afterEach(killAll);
    afterAll(async () => {
      await runs.remove();
      await nats.stop();
      delete process.env['FOURFOLD_NATS_URL'];
    });

    async function toEnd(coordinator: Process, workers: Process[]): Promise<void> {
      await expectFinished(coordinator);
      for (const worker of workers) await expectFinished(worker);
    }
    const startLoader = (run: SmallRun) => startFourfold(['data-loader', ...run.configArgs]);
    const started = (loader: Process) => loader.waitFor(({ event }) => event === 'started', 'a data-loader');
    const updated = (iteration: number) => (event: LogEvent) =>
      event.event === 'update' && event['network'] === 'generator' && event['iteration'] === iteration;
    async function stop(loader: Process): Promise<LogEvent> {
      loader.child.kill('SIGTERM');
      expect(await loader.exit).toEqual({ code: 143, signal: null });
      return loader.waitFor(({ event }) => event === 'stopped', 'its stop');
    }
    /** A worker's report of its batches when it ends. */
    const batchesOf = (worker: Process) => worker.waitFor(({ event }) => event === 'batches', 'its counts');

    test('a run without data-loaders waits and says so; with two the weights are the same, and all waits of workers are counted', async () => {
      const run = await runs.create('undisturbed', overNats);
      const coordinator = startCoordinator(run, ...onceJoined(2));
      const workers = startWorkers(run, 2);
      const waiting = await workers[0].waitFor(({ event }) => event === 'batches-waiting', 'what it waits for');
      expect(waiting).toMatchObject({
        iteration: 0,
        loaders: 0,
        reason: 'no data-loader is running; start one with `fourfold data-loader`',
      });
      const loaders = [startLoader(run), startLoader(run)];
      await Promise.all(loaders.map(started));
      await toEnd(coordinator, workers);
      expect(await weightsOf(run)).toEqual(reference);
      const counts = await Promise.all(workers.map(batchesOf));
      const total = (name: string) => counts.reduce((sum, count) => sum + Number(count[name]), 0);
      // Five replicas, three iterations of one half and five of two.
      expect(total('batches')).toBeGreaterThanOrEqual(5 * (3 + 2 * 5));
      expect(total('received')).toBeGreaterThanOrEqual(5 * 8);
      expect(total('bytes')).toBeGreaterThanOrEqual(5 * 8 * 2 * 48 * 48 * 3);
      expect(total('waits')).toBeGreaterThan(0);
      expect(total('waitedSeconds')).toBeGreaterThan(0);
      expect(total('refusedReplies')).toBe(0);
      const stopped = await Promise.all(loaders.map(stop));
      for (const { answered, requests } of stopped) expect(answered).toBe(requests);
    });

    test('one data-loader killed, another frozen and woken, a third one joining, one stopped: the same weights', async () => {
      const run = await runs.create('loaders-die', overNats);
      const [first, second] = [startLoader(run), startLoader(run)];
      await Promise.all([first, second].map(started));
      const coordinator = startCoordinator(run, ...alert);
      const workers = startWorkers(run, 2, ...alert);
      await coordinator.waitFor(updated(1), 'the second iteration');
      first.child.kill('SIGKILL');
      await coordinator.waitFor(updated(3), 'the fourth iteration');
      second.child.kill('SIGSTOP');
      const third = startLoader(run);
      await started(third);
      await coordinator.waitFor(updated(5), 'the sixth iteration');
      second.child.kill('SIGCONT');
      await stop(third);
      await toEnd(coordinator, workers);
      expect(await weightsOf(run)).toEqual(reference);
    });

    test('nats-server killed and started again pauses the run, and each worker says what it waits for', async () => {
      const run = await runs.create('nats-dies', overNats);
      await Promise.all([startLoader(run), startLoader(run)].map(started));
      const third = { event: 'update', network: 'generator', iteration: 2 };
      const coordinator = startPart('coordinator', run, freezeAt(runs.folder, third), ...onceJoined(2));
      const workers = startWorkers(run, 2);
      await frozenAt(coordinator, third);
      await nats.kill();
      for (const worker of workers) {
        const { reason } = await worker.waitFor(({ event }) => event === 'nats-waiting', 'what it waits for');
        expect(reason).toBe('the connection is lost');
      }
      thaw(coordinator);
      // Only who holds a lease waits for a batch; the other may have given all of its own.
      await Promise.any(
        workers.map((worker) => worker.waitFor(({ event }) => event === 'batches-waiting', 'which batch it waits for')),
      );
      expect(coordinator.events.some(updated(7))).toBe(false);
      await nats.start();
      await toEnd(coordinator, workers);
      expect(await weightsOf(run)).toEqual(reference);
      for (const worker of workers) expect(await batchesOf(worker)).toMatchObject({ refusedReplies: 0 });
    });
  },
);
