import { parseRunConfig, positionAt } from '@fourfold/common';
import { describe, expect, test } from 'vitest';
import { toEvaluation, type HistoryRow } from '@fourfold/store';
import { createProgress } from '../training/progress.js';
import { statusNow, statusSnapshot, thinEvaluations, thinRows, workerStatus, type StatusSource } from './status.js';

const config = parseRunConfig(
  {
    name: 'status',
    dataset: 's3://inner-bucket/photos',
    store: 's3://inner-bucket/runs',
    data: { globalBatch: 8 },
    loss: { content: 'mse' },
    phases: [
      { kind: 'mse', iterations: 60, learningRate: 1e-3 },
      { kind: 'gan', iterations: 40, learningRate: 1e-4 },
    ],
    logEvery: 2,
  },
  'test',
);

/** A run's status after a number of iterations, with one worker by default. */
function source(iterations: number, changes: Partial<StatusSource> = {}): StatusSource {
  const progress = createProgress(config);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const position = positionAt(config.phases, iteration);
    progress.add({ position, network: 'generator' }, { content: iteration === 3 ? NaN : 1 / (iteration + 1) });
  }
  const versions = { generator: iterations, discriminator: 0 };
  const kind = {
    ...{ backend: 'wasm', version: '1', device: 'a CPU', instructionSet: '' },
    ...{ threads: 1, precision: 'f32', decoder: 'vips 8', featureWeights: '' },
  };
  const facts = new Map([
    [4, { exchangeAddress: '10.0.0.1:5000', kind, transport: 'grpc' as const, machine: '', joinedAtMs: 1_000 }],
  ]);
  return {
    config,
    run: () => progress.status('training', 2, 1, versions),
    history: () => progress.history(),
    workers: () => workerStatus([{ worker: 4, lastSeenAtMs: 1_005, tasks: ['generator 9.0'] }], facts),
    checkpoint: () => ({ name: '00000010-0002', savedAtMs: 3_000 }),
    pictures: () => [],
    ...changes,
  };
}

const row = (iteration: number, phase: number, content: number): HistoryRow => ({
  iteration,
  phase,
  learningRate: 1,
  losses: { content },
});
const evaluation = (iteration: number, psnr: number) => toEvaluation(iteration, [{ picture: 'a', psnr, ssim: 0.5 }]);

test('a run at a moment: position, pace, workers', () => {
  const now = statusNow(source(10));
  expect(now).toMatchObject({ state: 'training', term: 2, iteration: 10, iterations: 100, phase: 0, phaseKind: 'mse' });
  expect(now.samplesPerSecond).toBe(8 * now.iterationsPerSecond);
  expect(now.remainingSeconds).toBe(90 / now.iterationsPerSecond);
  expect(now.workers).toEqual([
    {
      id: 4,
      address: '10.0.0.1:5000',
      backend: 'wasm',
      device: 'a CPU',
      precision: 'f32',
      transport: 'grpc',
      joinedAtMs: 1_000,
      lastSeenAtMs: 1_005,
      tasks: ['generator 9.0'],
    },
  ]);
});

test('without workers a run waits for them; before two iterations and at the end there is no remaining time', () => {
  expect(statusNow(source(1, { workers: () => [] }))).toMatchObject({ state: 'waiting for workers' });
  expect(statusNow(source(1))).not.toHaveProperty('remainingSeconds');
  expect(statusNow(source(100))).not.toHaveProperty('remainingSeconds');
});

test('a snapshot survives JSON, with NaN as null, and names no store', () => {
  const text = JSON.stringify(statusSnapshot(source(4)));
  expect(JSON.parse(text)).toMatchObject({
    history: { rows: [{ losses: { content: 0.75 } }, { losses: { content: null } }] },
  });
  expect(text).not.toContain('inner-bucket');
});

describe('thinning', () => {
  test('a short history stays as it is', () => {
    const rows = [row(1, 0, 3), row(2, 0, 1)];
    expect(thinRows(rows, 2)).toEqual(rows);
  });

  test('rows are averaged over longer stretches, never across phases, and none is lost', () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => row(100 * (i + 1), i < 5_005 ? 0 : 1, i));
    const thin = thinRows(rows, 600);
    expect(thin.length).toBeGreaterThan(500);
    expect(thin.length).toBeLessThanOrEqual(601);
    expect(thin[0]).toEqual(row(1_700, 0, 8));
    expect(thin.at(-1)?.iteration).toBe(1_000_000);
    expect(thin.filter(({ phase }) => phase === 0).at(-1)?.iteration).toBe(500_500);
  });

  test('the newest and the best evaluation stay', () => {
    const evaluations = Array.from({ length: 2_001 }, (_, i) => evaluation(i, i === 1_003 ? 40 : 20));
    const thin = thinEvaluations(evaluations, 600).map(({ iteration }) => iteration);
    expect(thin.length).toBeLessThanOrEqual(602);
    expect(thin).toContain(1_003);
    expect(thin.at(-1)).toBe(2_000);
    const byLpips = evaluations.map((one) => ({ ...one, lpips: one.iteration === 1_005 ? 0.1 : 0.2 }));
    expect(thinEvaluations(byLpips, 600, 'lpips').map(({ iteration }) => iteration)).toContain(1_005);
    expect(thinEvaluations([], 600)).toEqual([]);
  });

  test('the snapshot of a long run is small', () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => row(100 * (i + 1), 0, 1 / (i + 1)));
    const evaluations = Array.from({ length: 2_000 }, (_, i) => evaluation(500 * (i + 1), 20 + Math.sin(i)));
    const snapshot = statusSnapshot(source(10, { history: () => ({ rows, evaluations }) }));
    expect(JSON.stringify(snapshot).length).toBeLessThan(150_000);
  });
});
