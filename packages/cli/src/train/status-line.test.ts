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

const longest: TrainingStatus = {
  ...{ ...gan, iteration: 1_199_999, iterations: 1_200_000, iterationsPerSecond: 0.0000121 },
  losses: { ...gan.losses, total: 0.00123 },
};

test('a wide line says everything', () => {
  expect(describeStatus(gan)).toBe(
    'phase 2 (gan) · 1620/1830 · 15.9 it/s · ETA 0:13 · total 0.156 · discriminator real 0.647 · ' +
      'discriminator fake 0.603 · content 0.155 · adversarial 0.807 · 12 workers · PSNR 24.49 dB at 1600 (bicubic 24.26)',
  );
});

test.each([
  [
    130,
    'phase 2 (gan) · 1620/1830 · 15.9 it/s · ETA 0:13 · total 0.156 · 12 workers · PSNR 24.49 dB at 1600 (bicubic 24.26)',
  ],
  [105, 'gan · 1620/1830 · 15.9 it/s · ETA 0:13 · total 0.156 · 12 workers · PSNR 24.49 (bicubic 24.26)'],
  [79, 'gan  1620/1830  15.9 it/s  ETA 0:13  total 0.156  12 workers  PSNR 24.49'],
  [73, 'gan  1620/1830  15.9 it/s  ETA 0:13  total 0.156  12w  PSNR 24.49'],
  [58, 'gan  1620/1830  15.9 it/s  total 0.156  12w  PSNR 24.49'],
  [30, 'gan  1620/1830  12w  PSNR 24.4'],
])('at %i columns what matters least is gone', (columns, text) => {
  expect(describeStatus(gan, columns)).toBe(text);
});

test('80 columns hold a loss, pace, ETA, workers and PSNR of a long, slow run', () => {
  const line = statusLine({ ...longest, phaseKind: 'mse' }, 0.5, 80);
  expect(line).toBe('mse  1199999/1200000  82645 s/it  ETA 22:57:25  total 0.00123  12w  PSNR 24.49');
  expect(line.length).toBeLessThan(80);
});

test('the fields of a width stay while values change', () => {
  const later = {
    ...gan,
    iteration: 1,
    iterationsPerSecond: 0.5,
    losses: { ...gan.losses, total: 0.0123 },
    workers: 3,
  };
  for (let columns = 40; columns < 220; columns++) {
    const shape = (status: TrainingStatus) =>
      statusLine(status, 0.5, columns).replaceAll(/[\d.:/█░ ]|it\/s|s\/it/g, '');
    const bar = (status: TrainingStatus) => /^[█░]*/.exec(statusLine(status, 0.5, columns))?.[0];
    expect(shape(later).replace('its', '')).toBe(shape(gan));
    expect(bar(later)).toBe(bar(gan));
  }
});

test('LPIPS stands beside bicubic’s where it is measured', () => {
  const measured = { ...gan, lpips: 0.17432, bicubicLpips: 0.3531 };
  expect(describeStatus(measured)).toMatch(/ · PSNR .* \(bicubic 24\.26\) · LPIPS 0\.174 \(bicubic 0\.353\)$/);
  expect(describeStatus(measured, 90)).toBe(
    'gan  1620/1830  15.9 it/s  ETA 0:13  total 0.156  12w  PSNR 24.49  LPIPS 0.174',
  );
  expect(describeStatus(measured, 73)).toBe(describeStatus(gan, 73));
});

test('in an mse phase the sum is the content loss: one number', () => {
  const mse: TrainingStatus = { ...gan, phaseKind: 'mse', phase: 0, losses: { total: 0.107, content: 0.107 } };
  const without = { ...mse, psnr: undefined, bicubicPsnr: undefined };
  expect(describeStatus(without)).toBe('phase 1 (mse) · 1620/1830 · 15.9 it/s · ETA 0:13 · content 0.107 · 12 workers');
  expect(describeStatus({ ...without, iterationsPerSecond: 0, state: 'waiting for workers', workers: 1 })).toBe(
    'waiting for workers · 1620/1830 · 0.00 it/s · content 0.107 · 1 worker',
  );
});

test('rates and losses of any size are short', () => {
  const at = (iterationsPerSecond: number, content: number) =>
    describeStatus({ ...gan, iterationsPerSecond, losses: { content } })
      .split(' · ')
      .slice(2, 5);
  expect(at(0.25, 1.234e-5)).toEqual(['4.00 s/it', 'ETA 14:00', 'content 1.2e-5']);
  expect(at(2345.6, 0)).toEqual(['2346 it/s', 'ETA 0:00', 'content 0.00']);
});

test('a bar fills the room that is left', () => {
  const short = { ...gan, losses: {}, psnr: undefined };
  expect(statusLine(short, 0.5, 80)).toMatch(/^█{7}░{6} phase 2/);
  expect(statusLine(gan, 0.5, 60)).not.toMatch(/█/);
});
