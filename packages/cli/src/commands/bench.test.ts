import { expect, test } from 'vitest';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fourfold, heldOutPhotographs, inFolder } from '../test-support.js';
import type { LoaderReport } from '../bench/loader.js';
import type { ScaleReport } from '../bench/scale.js';
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

test.each(['grpc', 'stream', 'shared-memory'] as const)(
  'bench update moves gradients up and parameters down by %s',
  async (way) => {
    const more = ['--size', 'demo', '--steps', '1', '--warmup', '1', '--exchange', way];
    const report = await bench<UpdateReport>('update', ...more);
    expect(report.minMs).toBeGreaterThan(0);
    expect(Object.keys(report.parts)).toEqual(['publish', 'parameters', 'reducing', 'pulling', 'adam']);
    // Two workers, 4 bytes an element; the generator's statistics are sent, too.
    const gradientBytes = report.gradientBytes[way];
    expect(gradientBytes).toBeGreaterThan(2 * 4 * report.parameters);
    expect(report.gradientBytes).toMatchObject({ grpc: 0, stream: 0, 'shared-memory': 0, [way]: gradientBytes });
    // Shared memory is written once for both workers.
    expect(report.parameterBytes[way]).toBe(way === 'shared-memory' ? gradientBytes / 2 : gradientBytes);
  },
);

test.each(['grpc', 'stream', 'shared-memory'] as const)(
  'bench update by %s with rounding and factors moves fewer bytes, and the right ones',
  async (way) => {
    const formats = ['--gradients', 'bf16', '--parameters', 'bf16', '--dense-gradient', 'factors'];
    const more = ['--size', 'demo', '--steps', '1', '--warmup', '1', '--exchange', way];
    const { gradientBytes, parameterBytes, parameters } = await bench<UpdateReport>('update', ...more, ...formats);
    expect(gradientBytes[way]).toBeGreaterThan(0);
    // Two workers.
    expect(gradientBytes[way]).toBeLessThan(2 * 2 * parameters);
    const copies = way === 'shared-memory' ? 1 : 2;
    expect(parameterBytes[way] / copies / parameters).toBeCloseTo(2, 1);
  },
);

/** The rate of a stream with HTTP/2's default flow-control window: 64 KiB per round trip. */
const rateOfSmallWindow = (roundTripMs: number) => 65.536 / roundTripMs;

test('bench update over a network of 5 ms: the right bytes, far faster than HTTP/2’s default window allows', async () => {
  const more = ['--workers', '1', '--steps', '1', '--warmup', '1', '--round-trip', '5'];
  const { megabytesPerSecond: rates } = await bench<UpdateReport>('update', ...more);
  expect(Math.min(rates.gradients, rates.parameters)).toBeGreaterThan(1.5 * rateOfSmallWindow(5));
});

test('bench scale says what an iteration costs the coordinator with 2 and with 3 workers, and where', async () => {
  const { reports } = await bench<{ reports: ScaleReport[] }>(
    ...['scale', '--workers', '2', '3', '--steps', '3', '--warmup', '1'],
  );
  expect(reports.map(({ workers, replicas }) => [workers, replicas])).toEqual([
    [2, 2],
    [3, 3],
  ]);
  for (const { replicas, cpuMs, replicaMs, halvesCpuMs, parts, statusMs, peakMemoryBytes } of reports) {
    expect(replicaMs.all).toBeCloseTo(cpuMs / replicas);
    expect(replicaMs.own).toBeLessThan(replicaMs.all);
    expect(Math.min(...halvesCpuMs, statusMs.median)).toBeGreaterThan(0);
    expect(Object.values(parts).reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(cpuMs);
    expect(peakMemoryBytes).toBeGreaterThan(50e6);
  }
});

test('bench loader measures batches made in the process, and got over NATS with TLS', async () => {
  await inFolder(async (folder) => {
    const prepared = await fourfold(
      folder,
      'prepare',
      '--images',
      heldOutPhotographs,
      '--out',
      'dataset',
      '--tile',
      '240',
    );
    expect(prepared).toMatchObject({ exitCode: 0 });
    const config = { name: 'bench', dataset: 'dataset', phases: [{ kind: 'mse', iterations: 9, learningRate: 1e-4 }] };
    await writeFile(join(folder, 'run.yaml'), JSON.stringify(config));
    for (const over of ['local', 'nats']) {
      const args = ['bench', 'loader', '--config', 'run.yaml', '--iterations', '3', '--over', over];
      const json = await fourfold(folder, ...args, '--json');
      expect(json).toMatchObject({ exitCode: 0, stderr: '' });
      const report = JSON.parse(json.stdout) as LoaderReport;
      expect(report).toMatchObject({ over, encoding: 'pixels', crops: 48 });
      expect(report.cropsPerSecond).toBeCloseTo(48 / report.seconds);
      expect(report.cpuSecondsPerThousand).toBeGreaterThan(0);
      if (over === 'nats') expect(report.loaderCpuSecondsPerThousand).toBeGreaterThanOrEqual(0);
      else expect(report.source?.seconds.reading).toBeGreaterThan(0);
    }
    const { stdout } = await fourfold(folder, 'bench', 'loader', '--config', 'run.yaml', '--iterations', '3');
    expect(stdout).toMatch(/^48 crops of encoding pixels .*crops\/s\nCPU time for 1,000 crops: /);
  });
});

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
