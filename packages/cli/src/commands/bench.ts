import { Option, type Command } from 'commander';
import { loadRunConfig, type ExchangeConfig, type Setting } from '@fourfold/common';
import { benchConfigPath } from '../assets.js';
import { describeLoader, describeStep, describeTrain, describeUpdate } from '../bench/describe.js';
import { abortOnInterruption } from '../interruption.js';
import {
  backendOption,
  collect,
  jsonOption,
  optionSetting,
  printJson,
  wholeNumber,
  type BackendChoice,
} from './arguments.js';
import { registerScale } from './bench-scale.js';
import { busySilenceMs, countOption } from './bench-options.js';

/** `fourfold bench`. */
export function registerBench(program: Command): void {
  const bench = program
    .command('bench')
    .summary('measure this machine: a training step, an update, the control plane, the data path, a whole run')
    .description('Measure this machine: a training step, an update, the control plane, the data path, a whole run.');
  registerStep(bench);
  registerUpdate(bench);
  registerScale(bench);
  registerLoader(bench);
  registerTrainBench(bench);
}

const cropsAReplica = 16;
/** Precisions by PyTorch's names. */
const precisionOf = { fp32: 'f32', tf32: 'tf32', bf16: 'bf16' };

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
  dtype?: keyof typeof precisionOf;
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
    .addOption(new Option('--phase <kind>', 'phase to measure').choices(['mse', 'gan', 'both']).default('both'))
    .option('--batch <crops>', 'number of crops per iteration, as one replica', wholeNumber(1))
    .option('--channels <n>', 'width of the generator', wholeNumber(1))
    .option('--blocks <n>', 'number of residual blocks of the generator', wholeNumber(1))
    .option('--threads <n>', 'number of threads to compute with (default: the machine’s cores)', wholeNumber(1))
    .option('--device <name>', 'auto, cpu, cuda or cuda:N of torch, gpu or gpu:NAME of webgpu')
    .addOption(new Option('--dtype <name>', 'precision of torch’s convolutions').choices(Object.keys(precisionOf)))
    .addOption(countOption('--steps', 'number of measured iterations', 1, 10))
    .addOption(countOption('--warmup', 'number of warm-up iterations', 0, 2))
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

interface UpdateArguments
  extends
    Pick<StepArguments, 'size' | 'steps' | 'warmup' | 'json'>,
    Pick<ExchangeConfig, 'route' | 'gradients' | 'sums' | 'parameters' | 'denseGradient'> {
  workers: number;
  replicas?: number;
  exchange: ExchangeConfig['transport'];
  roundTrip?: number;
  hosts?: number;
  rate: string;
  tls: boolean;
}

function registerUpdate(bench: Command): void {
  bench
    .command('update')
    .summary('the synchronous update alone')
    .description(
      'Time the synchronous update of both networks alone: a coordinator and worker processes that exchange parameters ' +
        'and gradients, reduction and Adam, nothing else. The bytes received are compared with those sent.',
    )
    .option('--workers <n>', 'number of worker processes', wholeNumber(1), 2)
    .option('--replicas <n>', 'number of replicas (default: one a worker)', wholeNumber(1))
    .addOption(exchangeOption())
    .addOption(
      new Option('--route <way>', 'way that the sum of the gradients takes').choices(['star', 'chain']).default('star'),
    )
    .addOption(formatOption('--gradients', 'form in which gradients are sent', ['f32', 'bf16']))
    .addOption(formatOption('--sums', 'form in which sums of gradients are kept', ['f32', 'bf16']))
    .addOption(formatOption('--parameters', 'form in which parameters are sent', ['f32', 'bf16', 'int8']))
    .addOption(
      formatOption('--dense-gradient', 'form in which the large dense weight’s gradient is sent', [
        'matrix',
        'factors',
      ]),
    )
    .option('--round-trip <ms>', 'round trip of a network to put between coordinator and workers', wholeNumber(0))
    .option(
      '--hosts <n>',
      'as many workers, each in a network namespace of its own; needs root and iproute2',
      wholeNumber(1),
    )
    .option('--rate <rate>', 'rate of each host’s link, as tc writes it', '200mbit')
    .option('--tls', 'mutual TLS, with certificates made for it', false)
    .addOption(sizeOption('paper'))
    .addOption(countOption('--steps', 'number of measured updates of both networks', 1, 10))
    .addOption(countOption('--warmup', 'number of warm-up updates', 1, 2))
    .addOption(jsonOption())
    .action(runUpdate);
}

async function runUpdate(given: UpdateArguments): Promise<void> {
  const { workers: asked, exchange, roundTrip, hosts, rate, tls, size, steps, warmup, json, ...rest } = given;
  const workers = hosts ?? asked;
  const { replicas = workers, ...formats } = rest;
  const phases = [{ kind: 'gan', iterations: warmup + steps, learningRate: 1e-4 }];
  const config = await loadRunConfig(configPath({ size, set: [] }), [
    // The paper's batch for each: the factors have as many rows.
    `data.globalBatch=${replicas * cropsAReplica}`,
    `data.replicas=${replicas}`,
    `phases=${JSON.stringify(phases)}`,
    // Shared memory does not reach over a network; namespaces of one machine must not use it.
    `exchange.transport=${exchange === 'auto' && (hosts ?? roundTrip) !== undefined ? 'stream' : exchange}`,
    ...Object.entries(formats).map(([key, format]) => `exchange.${key}=${format}`),
    // A busy machine is slow; its processes are not lost.
    `timing.silenceMs=${busySilenceMs}`,
  ]);
  const [{ benchUpdate }, { createBenchHosts }, { useCertificates }] = [
    await import('../bench/update.js'),
    await import('../bench/update-hosts.js'),
    await import('../bench/use-certificates.js'),
  ];
  const signal = abortOnInterruption();
  const network = hosts === undefined ? undefined : await createBenchHosts(hosts, rate);
  // Nobody else is on these links.
  if (network) process.env['FOURFOLD_INSECURE'] = '1';
  const bench = { config, workers, warmup, roundTripMs: roundTrip, hosts: network, signal };
  let report;
  let certificates;
  try {
    if (tls) certificates = await useCertificates();
    report = await benchUpdate(bench);
  } finally {
    await network?.close();
    await certificates?.remove();
  }
  if (json) {
    const about = {
      workers,
      replicas,
      steps,
      warmup,
      exchange: config.exchange,
      roundTrip,
      hosts,
      rate: hosts && rate,
      tls,
    };
    return printJson({ bench: 'update', ...about, ...report });
  }
  console.log(describeUpdate(workers, report));
}

function registerLoader(bench: Command): void {
  bench
    .command('loader')
    .summary('the data path alone')
    .description(
      'Make a run’s batches as its data-loaders do, in this process, or get them from a data-loader over NATS with TLS, whose server is ' +
        'started for it, and report the speed, the CPU time, and where the time went.',
    )
    .requiredOption('--config <file>', 'config of the run')
    .addOption(setOption())
    .addOption(new Option('--over <way>', 'way that batches come').choices(['local', 'nats']).default('local'))
    .addOption(countOption('--iterations', 'number of measured iterations', 1, 100))
    .addOption(countOption('--ahead', 'number of batches requested at the same time', 1, 4))
    .addOption(jsonOption())
    .action(async ({ config: path, set, json, ...options }: LoaderArguments) => {
      const { benchLoader } = await import('../bench/loader.js');
      const config = await loadRunConfig(path, set);
      const report = await benchLoader({ config, ...options, signal: abortOnInterruption() });
      if (json) printJson({ bench: 'loader', iterations: options.iterations, ...report });
      else console.log(describeLoader(report));
    });
}

interface LoaderArguments {
  config: string;
  set: string[];
  over: 'local' | 'nats';
  iterations: number;
  ahead: number;
  json?: true;
}

function registerTrainBench(bench: Command): void {
  bench
    .command('train')
    .summary('a whole run with 1 and 2 workers, compared with the step alone')
    .description(
      'Train the example photographs with the real `fourfold train`, with 1 and with 2 workers, in a temporary folder, ' +
        'and compare its pace with `bench step`: the cost of orchestration.',
    )
    .addOption(sizeOption('demo'))
    .addOption(configOption())
    .addOption(setOption())
    .addOption(countOption('--steps', 'number of measured iterations of each phase', 1, 40))
    .addOption(countOption('--warmup', 'number of warm-up iterations', 1, 5))
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
const configOption = (): Option => new Option('--config <file>', 'config of a run, instead of --size');
const setOption = (): Option =>
  new Option('--set <key=value>', 'key of the config to override; may be repeated').argParser(collect).default([]);

const exchangeOption = (): Option =>
  new Option('--exchange <transport>', 'transport of parameters and gradients')
    .choices(['auto', 'grpc', 'stream', 'shared-memory'])
    .default('auto');

const formatOption = (flag: string, description: string, choices: string[]): Option =>
  new Option(`${flag} <format>`, description).choices(choices).default(choices[0]);

const configPath = ({ config, size }: SizeArguments): string => config ?? benchConfigPath(size);

function stepSettings({ set, backend, batch, channels, blocks, threads, device, dtype }: StepOptions): Setting[] {
  return [
    ...set,
    ...(batch === undefined ? [] : [...optionSetting('--batch', batch, 'data.globalBatch'), 'data.replicas=1']),
    ...optionSetting('--channels', channels, 'generator.channels'),
    ...optionSetting('--blocks', blocks, 'generator.blocks'),
    ...optionSetting('--threads', threads, 'workers.threads'),
    ...optionSetting('--device', device, 'workers.device'),
    ...optionSetting('--dtype', dtype && precisionOf[dtype], 'workers.precision'),
    `workers.backend=${backend}`,
  ];
}

type StepOptions = Omit<StepArguments, keyof SizeArguments | 'phase' | 'steps' | 'warmup'> & Pick<SizeArguments, 'set'>;
