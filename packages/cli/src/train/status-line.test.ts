import { expect, test } from 'vitest';
import { describeStatus, statusLine, type TrainingStatus } from './status-line.js';

const gan: TrainingStatus = {
  state: 'training',
  phase: 1,
  phaseKind: 'gan',
  iteration: 1620,
  iterations: 1830,
  iterationsPerSecond: 15.93,
  losses: { discriminatorReal: 0.6471, discriminatorFake: 0.603, total: 0.156, content: 0.155, adversarial: 0.807 },
  workers: 12,
  psnr: 24.487,
  bicubicPsnr: 24.262,
  evaluatedIteration: 1600,
};

test('a wide line says everything', () => {
  expect(describeStatus(gan)).toBe(
    'phase 2 (gan) · 1620/1830 · 15.9 it/s · ETA 13 s · total 0.156 · discriminator real 0.647 · ' +
      'discriminator fake 0.603 · content 0.155 · adversarial 0.807 · 12 workers · PSNR 24.49 dB at 1600 (bicubic 24.26)',
  );
});

test.each([
  [
    120,
    'phase 2 (gan) · 1620/1830 · 15.9 it/s · ETA 13 s · total 0.156 · 12 workers · PSNR 24.49 dB at 1600 (bicubic 24.26)',
  ],
  [79, 'gan · 1620/1830 · ETA 13 s · 12 workers · PSNR 24.49 (bicubic 24.26)'],
  [60, 'gan · 1620/1830 · 12 workers · PSNR 24.49 (bicubic 24.26)'],
  [10, 'gan · 1620/1830 · 12 workers · PSNR 24.49 (bicubic 24.26)'],
])('at %i columns what matters least is gone; workers and PSNR stay', (columns, text) => {
  expect(describeStatus(gan, columns)).toBe(text);
});

test('in an mse phase the sum is the content loss: one number', () => {
  const mse: TrainingStatus = { ...gan, phaseKind: 'mse', phase: 0, losses: { total: 0.107, content: 0.107 } };
  const without = { ...mse, psnr: undefined, bicubicPsnr: undefined };
  expect(describeStatus(without)).toBe('phase 1 (mse) · 1620/1830 · 15.9 it/s · ETA 13 s · content 0.107 · 12 workers');
  expect(describeStatus({ ...without, iterationsPerSecond: 0, state: 'waiting for workers', workers: 1 })).toBe(
    'waiting for workers · 1620/1830 · 0.00 it/s · content 0.107 · 1 worker',
  );
});

test('a bar fills the room that is left', () => {
  const long: TrainingStatus = { ...gan, iteration: 620_000, iterations: 1_200_000 };
  for (const columns of [40, 80, 100, 140, 250]) {
    const line = statusLine(long, 0.5, columns);
    if (columns >= 80) expect(line.length).toBeLessThan(columns);
    expect(line).toMatch(/12 workers · PSNR 24\.49/);
  }
  const short = { ...gan, losses: {}, psnr: undefined };
  expect(statusLine(short, 0.5, 80)).toMatch(/^█{9}░{8} phase 2/);
  expect(statusLine(gan, 0.5, 60)).not.toMatch(/█/);
});
