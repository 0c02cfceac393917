import { Option, type Command } from 'commander';
import { loadRunConfig } from '@fourfold/common';
import { benchConfigPath } from '../assets.js';
import { describeScale } from '../bench/describe.js';
import { abortOnInterruption } from '../interruption.js';
import { jsonOption, printJson, wholeNumber } from './arguments.js';
import { busySilenceMs, countOption } from './bench-options.js';

interface ScaleArguments {
  workers?: number[];
  steps: number;
  warmup: number;
  json?: true;
}

/** Networks of a few hundred parameters: leases and messages are all that an iteration takes. */
const smallNetworks = [
  'generator.channels=1',
  'generator.blocks=1',
  'discriminator.channels=1',
  'discriminator.dense=1',
  'data.crop=16',
];

/** `fourfold bench scale`. */
export function registerScale(bench: Command): void {
  bench
    .command('scale')
    .summary('what an iteration costs the coordinator with hundreds of workers')
    .description(
      'Run the coordinator’s training loop with many workers that answer at once with small vectors, over gRPC on this machine, in one ' +
        'process for each 64 of them. Report the coordinator’s CPU time for an iteration of a gan phase and what it is spent on, whether it ' +
        'grows during the run, and how long the status page takes to answer.',
    )
    .addOption(
      new Option('--workers <n...>', 'numbers of workers, each with as many replicas (default: 16 64 256)').argParser(
        (text: string, before: number[] = []) => [...before, wholeNumber(1)(text)],
      ),
    )
    .addOption(countOption('--steps', 'number of measured iterations', 2, 20))
    .addOption(countOption('--warmup', 'number of warm-up iterations', 1, 5))
    .addOption(jsonOption())
    .action(async ({ workers = [16, 64, 256], steps, warmup, json }: ScaleArguments) => {
      const { benchScale } = await import('../bench/scale.js');
      const signal = abortOnInterruption();
      const phases = [{ kind: 'gan', iterations: warmup + steps, learningRate: 1e-4 }];
      const reports = [];
      for (const count of workers) {
        const config = await loadRunConfig(benchConfigPath('demo'), [
          ...smallNetworks,
          `data.globalBatch=${count}`,
          `data.replicas=${count}`,
          `phases=${JSON.stringify(phases)}`,
          'exchange.transport=grpc',
          // A busy machine is slow; its processes are neither lost nor stragglers.
          `timing.silenceMs=${busySilenceMs}`,
          'timing.stragglerFactor=0',
        ]);
        reports.push(await benchScale({ config, workers: count, warmup, signal }));
      }
      if (json) printJson({ bench: 'scale', steps, warmup, reports });
      else console.log(describeScale(reports));
    });
}
