import { fileURLToPath } from 'node:url';
import { Option, type Command } from 'commander';
import { loadRunConfig, type ExchangeConfig } from '@fourfold/common';
import { describeStep, describeTrain, describeUpdate } from '../bench/describe.js';
import { abortOnInterruption } from '../interruption.js';
import { backendOption, collect, jsonOption, printJson, wholeNumber, type BackendChoice } from './arguments.js';

/** `fourfold bench`. */
export function registerBench(program: Command): void {
  const bench = program.command('bench').description('measure this machine: a training step, an update, a whole run');
  registerStep(bench);
  registerUpdate(bench);
  registerTrainBench(bench);
}

const updateSilenceMs = 120_000;

interface SizeArguments {
  size: 'demo' | 'paper';
  config?: string;
  set: string[];
  json?: true;
}

interface StepArguments extends SizeArguments {
  backend: BackendChoice;
  phase: 'mse' | 'gan' | 'both';
  batch?: number;
  channels?: number;
  blocks?: number;
  threads?: number;
  device?: string;
  dtype?: 'fp32' | 'bf16';
  steps: number;
  warmup: number;
}

function registerStep(bench: Command): void {
  bench
    .command('step')
    .summary('an iteration of each phase without any exchange')
    .description(
      'Time iterations on a random batch without any exchange: gradients on the backend, reduction and Adam as the ' +
        'coordinator computes them. The VGG19 of a VGG content loss has random weights.',
    )
    .addOption(sizeOption('demo'))
    .addOption(configOption())
    .addOption(setOption())
    .addOption(backendOption())
    .addOption(new Option('--phase <kind>', 'which phase').choices(['mse', 'gan', 'both']).default('both'))
    .option('--batch <crops>', 'crops an iteration, as one replica', wholeNumber(1))
    .option('--channels <n>', 'width of the generator', wholeNumber(1))
    .option('--blocks <n>', 'residual blocks of the generator', wholeNumber(1))
    .option('--threads <n>', 'threads to compute with (default: the machine’s cores)', wholeNumber(1))
    .option('--device <name>', 'what torch computes on: auto, cpu, cuda or cuda:N')
    .addOption(new Option('--dtype <name>', 'precision of torch’s convolutions').choices(['fp32', 'bf16']))
    .addOption(countOption('--steps', 'iterations that are measured', 1, 10))
    .addOption(countOption('--warmup', 'iterations before them', 0, 2))
    .addOption(jsonOption())
    .action(async ({ phase, steps, warmup, json, ...options }: StepArguments) => {
      const config = await loadRunConfig(configPath(options), stepSettings(options));
      const { benchStep } = await import('../bench/step.js');
      const phases = phase === 'both' ? (['mse', 'gan'] as const) : [phase];
      const report = await benchStep({ config, phases, steps, warmup });
      const { generator, discriminator, data, loss } = config;
      if (json) printJson({ bench: 'step', generator, discriminator, data, loss, steps, warmup, ...report });
      else console.log(describeStep(report));
    });
}

interface UpdateArguments extends Pick<StepArguments, 'size' | 'steps' | 'warmup' | 'json'> {
  workers: number;
  exchange: ExchangeConfig['transport'];
}

function registerUpdate(bench: Command): void {
  bench
    .command('update')
    .summary('the synchronous update alone')
    .description(
      'Time the synchronous update of both networks alone: a coordinator and worker processes that exchange parameters ' +
        'and gradients, reduction and Adam, nothing else.',
    )
    .option('--workers <n>', 'worker processes, each with one replica', wholeNumber(1), 2)
    .addOption(exchangeOption())
    .addOption(sizeOption('paper'))
    .addOption(countOption('--steps', 'updates of both networks that are measured', 1, 10))
    .addOption(countOption('--warmup', 'updates before them', 1, 2))
    .addOption(jsonOption())
    .action(async ({ workers, exchange, size, steps, warmup, json }: UpdateArguments) => {
      const phases = [{ kind: 'gan', iterations: warmup + steps, learningRate: 1e-4 }];
      const config = await loadRunConfig(configPath({ size, set: [] }), [
        `data.globalBatch=${workers}`,
        `data.replicas=${workers}`,
        `phases=${JSON.stringify(phases)}`,
        `exchange.transport=${exchange}`,
        // A busy machine is slow; its processes are not lost.
        `timing.silenceMs=${updateSilenceMs}`,
      ]);
      const { benchUpdate } = await import('../bench/update.js');
      const report = await benchUpdate({ config, workers, warmup, signal: abortOnInterruption() });
      if (json) return printJson({ bench: 'update', workers, steps, warmup, ...report });
      console.log(describeUpdate(workers, report));
    });
}

function registerTrainBench(bench: Command): void {
  bench
    .command('train')
    .summary('a whole run with 1 and 2 workers beside the step alone')
    .description(
      'Train the example photographs with 1 and with 2 workers by the real `fourfold train` in a temporary folder, and ' +
        'set its pace beside `bench step`: what the orchestration costs.',
    )
    .addOption(sizeOption('demo'))
    .addOption(configOption())
    .addOption(setOption())
    .addOption(countOption('--steps', 'iterations of each phase that are measured', 1, 40))
    .addOption(countOption('--warmup', 'iterations before them', 1, 5))
    .addOption(jsonOption())
    .action(async ({ steps, warmup, json, ...options }: SizeArguments & { steps: number; warmup: number }) => {
      const { benchTrain } = await import('../bench/train.js');
      const report = await benchTrain({
        configPath: configPath(options),
        settings: options.set,
        workers: [1, 2],
        steps,
        warmup,
        signal: abortOnInterruption(),
      });
      const { config, step, runs } = report;
      const { generator, discriminator, data } = config;
      if (json) printJson({ bench: 'train', generator, discriminator, data, steps, warmup, step, runs });
      else console.log(describeTrain(report));
    });
}

const sizeOption = (size: SizeArguments['size']): Option =>
  new Option('--size <name>', 'networks and batch of the demo or of the paper')
    .choices(['demo', 'paper'])
    .default(size);
const configOption = (): Option => new Option('--config <file>', 'a run’s config instead of --size');
const setOption = (): Option =>
  new Option('--set <key=value>', 'override a key of the config; may be repeated').argParser(collect).default([]);
const countOption = (flag: string, description: string, minimum: number, value: number): Option =>
  new Option(`${flag} <n>`, description).argParser(wholeNumber(minimum)).default(value);

const exchangeOption = (): Option =>
  new Option('--exchange <transport>', 'how parameters and gradients cross')
    .choices(['auto', 'grpc', 'shared-memory'])
    .default('auto');

const configPath = ({ config, size }: SizeArguments): string =>
  config ?? fileURLToPath(new URL(`../../../../bench/configs/${size}.yaml`, import.meta.url));

function stepSettings({ set, backend, batch, channels, blocks, threads, device, dtype }: StepOptions): string[] {
  return [
    ...set,
    ...(batch === undefined ? [] : [`data.globalBatch=${batch}`, 'data.replicas=1']),
    ...(channels === undefined ? [] : [`generator.channels=${channels}`]),
    ...(blocks === undefined ? [] : [`generator.blocks=${blocks}`]),
    ...(threads === undefined ? [] : [`workers.threads=${threads}`]),
    ...(device === undefined ? [] : [`workers.device=${device}`]),
    ...(dtype === undefined ? [] : [`workers.precision=${dtype === 'bf16' ? 'bf16' : 'f32'}`]),
    `workers.backend=${backend}`,
  ];
}

type StepOptions = Omit<StepArguments, keyof SizeArguments | 'phase' | 'steps' | 'warmup'> & Pick<SizeArguments, 'set'>;
