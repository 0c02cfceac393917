import { asOfMachine, loadRunConfig } from '@fourfold/common';
import { Option, type Command } from 'commander';
import { abortWithParent } from '../interruption.js';
import {
  asSentence,
  collect,
  hostPort,
  mlflowOption,
  tensorboardOption,
  wholeNumber,
  type ReportArguments,
} from './arguments.js';

const anyPort = '127.0.0.1:0';
const probes = '/healthz, /readyz and /metrics; port 0 takes a free one';

/** The parts of a run as commands of their own: one process each, on one machine or many. Each loads its own part alone. */
export function registerParts(program: Command): void {
  part(program, 'coordinator', 'hold the master weights and the schedule of a run, and write its checkpoints')
    .option('--listen <host:port>', 'address at which workers reach it; port 0 takes a free one', hostPort, anyPort)
    .addOption(advertiseOption())
    .option('--http <host:port>', `address of the status page, ${probes}`, hostPort)
    .addOption(tensorboardOption())
    .addOption(mlflowOption())
    .option('--resume', 'continue from the newest intact checkpoint, if there is one', false)
    .action(async ({ config: path, set, ...options }: ListeningOptions & ReportArguments & { resume: boolean }) => {
      const config = await loadRunConfig(path, set);
      const { runCoordinator } = await import('@fourfold/coordinator');
      await runCoordinator({ config, ...options, signal: abortWithParent() });
    });

  part(program, 'worker', 'compute gradients for a run until it ends')
    .option(
      '--listen <host:port>',
      'address from which the coordinator pulls gradients; port 0 takes a free one',
      hostPort,
      anyPort,
    )
    .addOption(advertiseOption())
    .option(
      '--coordinator <host:port>',
      'address of the coordinator (default: the one that holds the run’s newest term)',
      hostPort,
    )
    .option('--http <host:port>', `address of ${probes}`, hostPort)
    .option(
      '--gpus <n>',
      'number of GPUs, with a worker for each, on consecutive ports, restarted as by `train`',
      wholeNumber(1),
    )
    .action(async ({ config: path, set, gpus, ...options }: ListeningOptions & WorkerOptions) => {
      const config = await loadRunConfig(path, set);
      const { listenAddress, readRpcSecurity } = await import('@fourfold/rpc');
      listenAddress(options.listen, readRpcSecurity(process.env));
      if (gpus !== undefined) {
        const { runWorkerPerGpu } = await import('../train/worker-per-gpu.js');
        return onThisMachine(runWorkerPerGpu(gpus, { config, ...options, signal: abortWithParent() }));
      }
      const { runWorker } = await import('@fourfold/worker');
      await onThisMachine(runWorker({ config, ...options, signal: abortWithParent() }));
    });

  part(program, 'data-loader', 'make a run’s batches for its workers, over NATS, until it is stopped')
    .option('--http <host:port>', `address of ${probes}`, hostPort)
    .option('--until-finished', 'end with the run, instead of waiting for the next one', false)
    .action(async ({ config: path, set, ...options }: PartOptions & { untilFinished: boolean }) => {
      const config = await loadRunConfig(path, set);
      const { runDataLoader } = await import('@fourfold/data-loader');
      await onThisMachine(runDataLoader({ config, ...options, signal: abortWithParent() }));
    });
}

/**
 * Once a worker or a data-loader has read its arguments and its config, a failure may be its machine's: it ends with exit code
 * 1, and another machine may do better. The coordinator knows whether all of them fail alike.
 */
async function onThisMachine(life: Promise<void>): Promise<void> {
  try {
    await life;
  } catch (error) {
    throw asOfMachine(error);
  }
}

interface PartOptions {
  config: string;
  set: string[];
  http?: string;
}

interface ListeningOptions extends PartOptions {
  listen: string;
  advertise?: string;
}

interface WorkerOptions {
  coordinator?: string;
  gpus?: number;
}

const advertiseOption = (): Option =>
  new Option('--advertise <host:port>', 'address at which peers reach it (default: that of --listen)').argParser(
    hostPort,
  );

const part = (program: Command, name: string, summary: string): Command =>
  program
    .command(name)
    .summary(summary)
    .description(asSentence(summary))
    .requiredOption('--config <file>', 'config of the run')
    .option('--set <key=value>', 'key of the config to override; may be repeated', collect, []);
