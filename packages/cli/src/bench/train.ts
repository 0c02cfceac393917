import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FourfoldError, loadRunConfig, median, type RunConfig } from '@fourfold/common';
import { openStore, runStore } from '@fourfold/store';
import { prepare, prepareDefaults } from '@fourfold/data-loader';
import { examplePhotographs } from '../assets.js';
import { cliPath } from '../train/child.js';
import { benchStep, randomVgg, type BenchPhase, type StepReport } from './step.js';

export interface TrainBench {
  configPath: string;
  settings: readonly string[];
  /** Numbers of workers, with one run for each. */
  workers: readonly number[];
  /** Measured iterations of each phase, and the unmeasured ones before them. */
  steps: number;
  warmup: number;
  signal: AbortSignal;
}

export interface RunTiming {
  workers: number;
  phase: BenchPhase;
  /** Median time from one generator update to the next. */
  medianMs: number;
  /** Measured iterations divided by the time they took together. */
  iterationsPerSecond: number;
  /** `medianMs` divided by the step's: 1 if orchestration costs nothing and more workers gain nothing. */
  timesStep: number;
}

export interface TrainReport {
  config: RunConfig;
  step: StepReport;
  runs: RunTiming[];
}

const photographs = join(examplePhotographs, 'train');
const phases: BenchPhase[] = ['mse', 'gan'];

/**
 * Train the example photographs with the real `fourfold train` for each number of workers, an `mse` and a `gan` phase, and
 * compare the pace of the coordinator's updates with that of `bench step`.
 */
export async function benchTrain(bench: TrainBench): Promise<TrainReport> {
  const { configPath, settings, workers, steps, warmup, signal } = bench;
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-bench-'));
  try {
    const dataset = join(folder, 'dataset');
    await prepare({ images: photographs, store: openStore(dataset), name: 'bench', ...prepareDefaults, signal });
    const schedule = phases.map((kind) => ({ kind, iterations: warmup + steps, learningRate: 1e-4 }));
    const vgg = join(folder, 'vgg.safetensors');
    const runSettings = [...settings, `dataset=${dataset}`, `vgg=${vgg}`, `phases=${JSON.stringify(schedule)}`];
    const config = await loadRunConfig(configPath, runSettings);
    await writeFile(vgg, randomVgg(config) ?? '');
    const step = await benchStep({ config, phases, steps, warmup });
    const runs: RunTiming[] = [];
    for (const count of workers) {
      const own = [...runSettings, `workers.count=${count}`, `store=${join(folder, `store-${count}`)}`];
      await runTraining(configPath, own, signal);
      const log = await readFile(join(fileURLToPath(runStore(await loadRunConfig(configPath, own)).url), 'train.log'));
      const updates = generatorUpdates(log.toString('utf8'));
      for (const [i, phase] of phases.entries()) {
        const begin = i * (warmup + steps) + warmup;
        const pace = paceOf(updates.slice(begin - 1, begin + steps));
        runs.push({ workers: count, phase, ...pace, timesStep: pace.medianMs / step.timings[i].medianMs });
      }
    }
    return { config, step, runs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runTraining(configPath: string, settings: readonly string[], signal: AbortSignal): Promise<void> {
  const args = [cliPath, 'train', configPath, ...settings.flatMap((setting) => ['--set', setting])];
  const training = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, FOURFOLD_LOG: 'debug' },
  });
  let said = '';
  training.stderr.on('data', (text: Buffer) => (said += text.toString('utf8')));
  const stop = () => training.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  const [exitCode] = (await once(training, 'close')) as [number | null];
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (exitCode !== 0) {
    throw new FourfoldError('unavailable', `the bench’s run failed: ${said.trim().split('\n').at(-1) ?? ''}`);
  }
}

/** Times in milliseconds at which generator updates were done, from a run's log at level `debug`. */
export function generatorUpdates(log: string): number[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { time: number; event?: string; network?: string })
    .filter(({ event, network }) => event === 'update' && network === 'generator')
    .map(({ time }) => time);
}

/** The pace of updates done at `times`; the first one only starts the measurement. */
export function paceOf(times: readonly number[]): { medianMs: number; iterationsPerSecond: number } {
  const count = times.length - 1;
  return {
    medianMs: median(times.slice(1).map((time, i) => time - times[i])),
    iterationsPerSecond: (count * 1000) / (times[count] - times[0]),
  };
}
