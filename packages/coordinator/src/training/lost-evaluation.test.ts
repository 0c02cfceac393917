import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { setImmediate as otherWork } from 'node:timers/promises';
import { openStore, writeCheckpoint } from '@fourfold/store';
import { describe, expect, test } from 'vitest';
import { lostEvaluation, olderGenerator } from './run-evaluation.js';
import { config, join, log, master, never, progress, replaceMaster, trainingParts } from './test-evaluations.js';
import { train } from './train.js';

describe('an evaluation that was under way when the run ended', () => {
  const at = (generator: number, ...known: number[]) => {
    const evaluations = known.map((iteration) => ({ iteration, psnr: 30, ssim: 0.9, pictures: [] }));
    const versions = () => ({ generator, discriminator: 0 });
    return lostEvaluation(config, { versions }, { history: () => ({ rows: [], evaluations }) });
  };

  test('is the newest that is due, unless its figures are known', () => {
    const found = [at(0), at(29), at(30), at(43), at(43, 30), at(60, 30), at(60, 30, 60)];
    expect(found).toEqual([undefined, undefined, 30, 30, undefined, 60, undefined]);
  });

  /** The state of an iteration, without training up to it. */
  const restoreAt = (generator: number) => {
    const versions = { ...master.versions(), generator };
    replaceMaster({ ...master, versions: () => versions, update: async () => void versions.generator++ });
  };
  /** Measures until the run is over. */
  async function measureUntil(training: Promise<void>, worker: ReturnType<typeof join>): Promise<void> {
    const running = { isOver: false };
    void training.finally(() => (running.isOver = true)).catch(() => undefined);
    while (!running.isOver) {
      await otherWork();
      worker.step();
    }
    await training;
  }
  const evaluatedIterations = () => progress.history().evaluations.map(({ iteration }) => iteration);

  test('is done again past its iteration, with the generator of its checkpoint, in its order', async () => {
    restoreAt(43);
    const parts = trainingParts();
    const vector = new Float32Array(master.state('generator').vector.length).fill(3);
    parts.olderGenerator.mockResolvedValue(vector);
    const worker = join();
    const training = train(parts, never);
    while (worker.given.length === 0) await otherWork();
    expect(master.serveEvaluated(30)?.vector).toEqual(vector);
    await measureUntil(training, worker);
    expect(parts.olderGenerator).toHaveBeenCalledExactlyOnceWith(30);
    expect(evaluatedIterations()).toEqual([30, 60]);
  });

  test('its generator is the one of the newest checkpoint of that iteration', async () => {
    const folder = await mkdtemp(joinPath(tmpdir(), 'fourfold-older-'));
    try {
      const run = openStore(folder);
      const facts = {
        ...{ run: 'small', term: 1, config, seed: config.seed, datasetSha256: '', workerKind: '' },
        ...{ iteration: 30, versions: { generator: 30, discriminator: 0 }, finished: false },
        history: { rows: [], evaluations: [] },
      };
      const files = await master.snapshot();
      await writeCheckpoint(run, facts, files, async () => undefined);
      expect(await olderGenerator(run, 30, log)).toEqual(master.state('generator').vector);
      expect(await olderGenerator(run, 60, log)).toBeUndefined();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
