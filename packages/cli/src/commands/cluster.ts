import type { Command } from 'commander';
import { abortOnInterruption } from '../interruption.js';
import { createProgressLine } from '../train/progress-line.js';
import type { ClusterOptions } from '../cluster/run-cluster.js';
import { collect, hostPort, wholeNumber } from './arguments.js';

/** `fourfold cluster`. */
export function registerCluster(program: Command): void {
  program
    .command('cluster')
    .summary('a complete cluster on this machine, to explore')
    .description(
      'Start nats-server, MinIO and Prometheus (after npx fourfold setup servers) with certificates everywhere, prepare photographs ' +
        'into MinIO, and train on them with one process per part until Ctrl-C. A process that dies is replaced.',
    )
    .option('--workers <n>', 'number of worker processes', wholeNumber(1), 2)
    .option('--data-loaders <n>', 'number of data-loader processes', wholeNumber(1), 2)
    .option(
      '--config <file>',
      'config of the run; its dataset, store and batches.from are replaced (default: recipe demo)',
    )
    .option('--set <key=value>', 'key of the config to override; may be repeated', collect, [])
    .option('--images <dir>', 'photographs to train on (default: the examples)')
    .option('--http <host:port>', 'address of the status page; port 0 takes a free one', hostPort, '127.0.0.1:0')
    .option('--keep <dir>', 'folder to keep data, keys, certificates and logs in; a run in it is resumed')
    .option('--exit', 'end when the run is finished', false)
    .option('--json', 'print one JSON object per line on stdout: addresses, replaced processes, the checkpoint')
    .action(async ({ json, ...options }: ClusterOptions & { json?: true }) => {
      const { reportAsJson, reportAsText } = await import('../cluster/cluster-report.js');
      const { runCluster } = await import('../cluster/run-cluster.js');
      const line = createProgressLine();
      const report = json ? reportAsJson() : reportAsText(line.note);
      const signal = abortOnInterruption();
      try {
        await runCluster(options, report, line, signal);
      } finally {
        line.stop();
        const { keep } = options;
        if (signal.aborted && keep) line.note(`the run is kept; resume with: fourfold cluster --keep ${keep}`);
      }
    });
}
