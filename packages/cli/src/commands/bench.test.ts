import { expect, test } from 'vitest';
import { fourfold, inFolder } from '../test-support.js';
import type { StepReport } from '../bench/step.js';
import type { TrainReport } from '../bench/train.js';
import type { UpdateReport } from '../bench/update.js';

/** Smaller networks than the demo's, and one thread, since these tests share the machine with others. */
const tiny = [
  'workers.threads=1',
  'generator.channels=4',
  'generator.blocks=1',
  'discriminator.channels=2',
  'discriminator.dense=4',
];
const tinySize = tiny.flatMap((setting) => ['--set', setting]);

async function bench<Report>(...args: string[]): Promise<Report> {
  return inFolder(async (folder) => {
    const { exitCode, stdout, stderr } = await fourfold(folder, 'bench', ...args, '--json');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return JSON.parse(stdout) as Report;
  });
}

test('bench step times both phases and names the backend', async () => {
  const report = await bench<StepReport>(
    'step',
    '--backend',
    'wasm',
    '--steps',
    '2',
    '--warmup',
    '1',
    '--batch',
    '2',
    ...tinySize,
  );
  expect(report.kind.backend).toBe('wasm');
  expect(report.timings.map(({ phase }) => phase)).toEqual(['mse', 'gan']);
  for (const { medianMs, minMs, samplesPerSecond, peakMemoryBytes, parts } of report.timings) {
    expect(minMs).toBeGreaterThan(0);
    expect(medianMs).toBeGreaterThanOrEqual(minMs);
    expect(samplesPerSecond).toBeCloseTo(2000 / medianMs);
    expect(peakMemoryBytes).toBeGreaterThan(50e6);
    expect(parts['generator']).toBeGreaterThan(0);
  }
  expect(report.timings[1].parts['discriminator']).toBeGreaterThan(0);
});

test.each(['grpc', 'shared-memory'] as const)(
  'bench update moves gradients up and parameters down by %s',
  async (way) => {
    const more = ['--size', 'demo', '--steps', '2', '--warmup', '2', '--exchange', way];
    const report = await bench<UpdateReport>('update', ...more);
    expect(report.minMs).toBeGreaterThan(0);
    expect(Object.keys(report.parts)).toEqual(['publish', 'parameters', 'reducing', 'pulling', 'adam']);
    // Two workers, 4 bytes an element; the generator's statistics are sent, too.
    const gradientBytes = report.gradientBytes[way];
    expect(gradientBytes).toBeGreaterThan(2 * 4 * report.parameters);
    expect(report.gradientBytes).toMatchObject({ grpc: 0, 'shared-memory': 0, [way]: gradientBytes });
    // Shared memory is written once for both workers.
    expect(report.parameterBytes[way]).toBe(way === 'grpc' ? gradientBytes : gradientBytes / 2);
  },
);

test.each(['grpc', 'shared-memory'] as const)(
  'bench update by %s with rounding and factors moves fewer bytes, and the right ones',
  async (way) => {
    const formats = ['--gradients', 'bf16', '--parameters', 'bf16', '--dense-gradient', 'factors'];
    const more = ['--size', 'demo', '--workers', '3', '--steps', '1', '--warmup', '1', '--exchange', way];
    const { gradientBytes, parameterBytes, parameters } = await bench<UpdateReport>('update', ...more, ...formats);
    expect(gradientBytes[way]).toBeGreaterThan(0);
    expect(gradientBytes[way]).toBeLessThan(3 * 2 * parameters);
    const copies = way === 'grpc' ? 3 : 1;
    expect(parameterBytes[way] / copies / parameters).toBeCloseTo(2, 1);
  },
);

/** The rate of a stream with HTTP/2's default flow-control window: 64 KiB per round trip. */
const rateOfSmallWindow = (roundTripMs: number) => 65.536 / roundTripMs;

test('bench update over a network of 5 ms: the right bytes, far faster than HTTP/2’s default window allows', async () => {
  const more = ['--workers', '1', '--steps', '2', '--warmup', '1', '--round-trip', '5'];
  const { megabytesPerSecond: rates } = await bench<UpdateReport>('update', ...more);
  expect(Math.min(rates.gradients, rates.parameters)).toBeGreaterThan(1.5 * rateOfSmallWindow(5));
}, 120_000);

test('bench train compares runs with one and two workers with the step', async () => {
  const { step, runs } = await bench<TrainReport>('train', '--steps', '3', '--warmup', '1', ...tinySize);
  expect(runs.map(({ workers, phase }) => [workers, phase])).toEqual([
    [1, 'mse'],
    [1, 'gan'],
    [2, 'mse'],
    [2, 'gan'],
  ]);
  for (const [i, { medianMs, iterationsPerSecond, timesStep }] of runs.entries()) {
    expect(iterationsPerSecond).toBeGreaterThan(0);
    expect(timesStep).toBeCloseTo(medianMs / step.timings[i % 2].medianMs);
  }
});
