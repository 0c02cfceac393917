import { parseRunConfig, type Metrics, type Readings } from '@fourfold/common';
import { expect, test } from 'vitest';
import { emptyHistory, toEvaluation } from '@fourfold/store';
import { addRunMetrics, type RunFigures } from './run-metrics.js';
import type { StatusNow } from '../status/status.js';

const now: StatusNow = {
  state: 'writing a checkpoint',
  term: 2,
  iteration: 7,
  iterations: 20,
  phase: 1,
  phaseKind: 'gan',
  learningRate: 1e-4,
  iterationsPerSecond: 2,
  samplesPerSecond: 32,
  losses: {},
  workers: [],
};

/** The text of the metrics for these figures. */
async function readings(figures: Partial<RunFigures>): Promise<Record<string, Readings>> {
  const raw = {
    name: 'r',
    dataset: 'd',
    loss: { content: 'mse' },
    phases: [{ kind: 'gan', iterations: 20, learningRate: 1 }],
  };
  const config = parseRunConfig({ ...raw, validation: { images: 's3://pictures/set14/', lpips: 'alex' } }, 'the test');
  const all: [name: string, read: () => Readings | Promise<Readings>][] = [];
  const add: Metrics['gauge'] = (name, _help, _labels, read) => void all.push([name, read]);
  addRunMetrics({ counter: add, gauge: add } as unknown as Metrics, {
    config,
    now: () => now,
    history: emptyHistory,
    losses: () => ({}),
    iterationsDone: () => 3,
    ...figures,
  });
  return Object.fromEntries(await Promise.all(all.map(async ([name, read]) => [name, await read()] as const)));
}

test('losses by network and term; an unknown name does not become a label', async () => {
  const losses = () => ({
    generator: { total: 3, content: 2, adversarial: 1, pixels: 4, spread: 5, grid: 6, bands: 7, somethingElse: 9 },
    discriminator: { discriminatorReal: 0.5, discriminatorFake: NaN },
  });
  expect((await readings({ losses }))['fourfold_loss']).toEqual([
    [{ network: 'generator', term: 'total' }, 3],
    [{ network: 'generator', term: 'content' }, 2],
    [{ network: 'generator', term: 'adversarial' }, 1],
    [{ network: 'generator', term: 'pixels' }, 4],
    [{ network: 'generator', term: 'spread' }, 5],
    [{ network: 'generator', term: 'grid' }, 6],
    [{ network: 'generator', term: 'bands' }, 7],
    [{ network: 'discriminator', term: 'real' }, 0.5],
    [{ network: 'discriminator', term: 'fake' }, NaN],
  ]);
});

test('the run’s position', async () => {
  expect(await readings({})).toMatchObject({
    fourfold_term: 2,
    fourfold_iteration: 7,
    fourfold_schedule_iterations: 20,
    fourfold_phase: 1,
    fourfold_iterations_total: 3,
    fourfold_samples_total: 48,
    fourfold_remaining_seconds: undefined,
    fourfold_phase_kind: expect.arrayContaining([[{ kind: 'gan' }, 1]]) as Readings,
    fourfold_run_state: expect.arrayContaining([
      [{ state: 'writing_a_checkpoint' }, 1],
      [{ state: 'training' }, 0],
    ]) as Readings,
  });
});

test('the newest evaluation, by the folder of its pictures; nothing before the first', async () => {
  expect((await readings({}))['fourfold_validation_psnr_decibels']).toBeUndefined();
  const bicubic = { bicubicPsnr: 20, bicubicSsim: 0.4, bicubicLpips: 0.375 };
  const evaluations = [4, 6].map((iteration) =>
    toEvaluation(iteration, [{ picture: 'a', psnr: 20 + iteration, ssim: 0.5, lpips: 0.25, ...bicubic }]),
  );
  const found = await readings({ history: () => ({ rows: [], evaluations }) });
  expect(found).toMatchObject({
    fourfold_validation_psnr_decibels: [[{ set: 'set14' }, 26]],
    fourfold_validation_ssim_ratio: [[{ set: 'set14' }, 0.5]],
    fourfold_validation_lpips: [[{ set: 'set14', network: 'alex' }, 0.25]],
    fourfold_validation_bicubic_lpips: [[{ set: 'set14', network: 'alex' }, 0.375]],
    fourfold_validation_iteration: [[{ set: 'set14' }, 6]],
  });
});
