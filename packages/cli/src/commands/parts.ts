import { loadRunConfig, openStore, type RunConfig } from '@fourfold/common';
import { runCoordinator } from '@fourfold/coordinator';
import { createBatchSource, readDatasetManifest } from '@fourfold/data-loader';
import { runWorker } from '@fourfold/worker';
import type { Command } from 'commander';
import { abortOnInterruption } from '../interruption.js';
import { collect, jsonOption, printJson, wholeNumber } from './arguments.js';

const anyPort = '127.0.0.1:0';

/** The parts of a run as commands of their own: one process each, on one machine or many. */
export function registerParts(program: Command): void {
  part(program, 'coordinator', 'hold the master weights and the schedule of a run, and write its checkpoints')
    .option('--listen <host:port>', 'where workers reach it; port 0 takes a free one', anyPort)
    .option('--resume', 'continue from the newest whole checkpoint, where there is one', false)
    .action(async ({ config: path, set, listen, resume }: PartOptions & { listen: string; resume: boolean }) => {
      const config = await loadRunConfig(path, set);
      await runCoordinator({ config, listen, resume, signal: abortWithParent() });
    });

  part(program, 'worker', 'compute gradients for a run until it ends')
    .option('--listen <host:port>', 'where the coordinator pulls gradients; port 0 takes a free one', anyPort)
    .option('--coordinator <host:port>', 'the coordinator; without it the one that holds the run’s newest term')
    .action(
      async ({ config: path, set, listen, coordinator }: PartOptions & { listen: string; coordinator?: string }) => {
        const config = await loadRunConfig(path, set);
        await runWorker({ config, coordinator, listen, signal: abortWithParent() });
      },
    );

  part(program, 'data-loader', 'read a run’s batches as its workers do, and say how fast they come')
    .option('--iterations <n>', 'how many iterations’ batches to read', wholeNumber(1), 100)
    .addOption(jsonOption())
    .action(async ({ config: path, set, iterations, json }: PartOptions & { iterations: number; json?: boolean }) => {
      const report = await readBatches(await loadRunConfig(path, set), iterations, abortWithParent());
      if (json) printJson(report);
      else
        console.log(
          `${report.crops} crops in ${report.seconds.toFixed(1)} s: ${report.cropsPerSecond.toFixed(0)} crops/s`,
        );
    });
}

async function readBatches(config: RunConfig, iterations: number, signal: AbortSignal) {
  const store = openStore(config.dataset);
  const manifest = await readDatasetManifest(store);
  const source = createBatchSource({ store, manifest, data: config.data, seed: config.seed });
  const begunMs = performance.now();
  for (let iteration = 0; iteration < iterations; iteration++) {
    for (let replica = 0; replica < config.data.replicas; replica++) await source.batch(iteration, replica, signal);
  }
  const seconds = (performance.now() - begunMs) / 1000;
  source.close();
  const stats = source.stats();
  return { ...stats, seconds, cropsPerSecond: stats.crops / seconds };
}

/** Aborted by SIGTERM and SIGINT, and when the process that started this one is gone. */
function abortWithParent(): AbortSignal {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  return abortOnInterruption();
}

interface PartOptions {
  config: string;
  set: string[];
}

const part = (program: Command, name: string, description: string): Command =>
  program
    .command(name)
    .description(description)
    .requiredOption('--config <file>', 'the run’s config')
    .option('--set <key=value>', 'override a key of the config; may be repeated', collect, []);
