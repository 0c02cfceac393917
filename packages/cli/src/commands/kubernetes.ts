import { FourfoldError, roles, type Role } from '@fourfold/common';
import { Option, type Command } from 'commander';
import { runName } from '../kubernetes/names.js';
import { abortOnInterruption } from '../interruption.js';
import { formatCount } from '../terminal/table.js';
import { jsonOption, printJson, wholeNumber } from './arguments.js';
import { connect, inCluster, type Place } from './in-cluster.js';
import { registerSubmit } from './submit.js';

/*
 * Runs on Kubernetes. The client is loaded when a command needs it: it is large.
 */

const secondsMs = 1000;

/** `fourfold submit`, `status`, `logs`, `scale`, `cancel` and `list`. */
// eslint-disable-next-line max-lines-per-function -- a list of commands and their options
export function registerKubernetes(program: Command): void {
  registerSubmit(program);

  inCluster(program, 'status', 'show how far a run on Kubernetes is, and the state of its parts')
    .argument('<run>', 'name of the run', runName)
    .option('--watch', 'print each change, until the run has ended', false)
    .addOption(jsonOption())
    .action(async (run: string, { watch, json, ...place }: Place & { watch: boolean; json?: true }) => {
      const { readStatus, watchRun } = await import('../kubernetes/operate.js');
      const { describeNext } = await import('../kubernetes/describe.js');
      const api = await connect(place);
      let before: Awaited<ReturnType<typeof readStatus>> | undefined;
      const print = (status: Awaited<ReturnType<typeof readStatus>>) => {
        console.log(json ? JSON.stringify(status, null, watch ? undefined : 2) : describeNext(status, before));
        before = status;
      };
      if (!watch) return print(await readStatus(api, run));
      const { state, problems } = await watchRun(api, run, print, abortOnInterruption());
      if (state === 'failed') throw new FourfoldError('unavailable', `run ${run} has failed: ${problems.join('; ')}`);
    });

  inCluster(program, 'logs', 'show the logs of a run on Kubernetes')
    .argument('<run>', 'name of the run', runName)
    .addOption(
      new Option('--role <role>', 'role of the pods whose logs are shown (default: coordinator)').choices(roles),
    )
    .option('--index <n>', 'number of the worker (default: all)', wholeNumber(0))
    .option('-f, --follow', 'follow the logs, and those of replacements, until the run ends', false)
    .option('--tail <n>', 'number of lines from the end of each log', wholeNumber(1))
    .action(async (run: string, options: Place & { role?: Role; index?: number; follow: boolean; tail?: number }) => {
      const { readLogs } = await import('../kubernetes/run-logs.js');
      const hasSeveral = options.role !== undefined && options.role !== 'coordinator' && options.index === undefined;
      const onLine = (line: string, pod: string) => console.log(hasSeveral ? `${pod} ${line}` : line);
      await readLogs(await connect(options), run, { ...options, onLine, signal: abortOnInterruption() });
    });

  inCluster(program, 'scale', 'give a run on Kubernetes more or fewer workers')
    .description(
      'Give a run on Kubernetes more or fewer workers, while it runs or waits. In a queue, Kueue has to admit them: running workers ' +
        'continue if its feature gate ElasticJobsViaWorkloadSlices is on; otherwise all stop, and start again when the quota has room.',
    )
    .argument('<run>', 'name of the run', runName)
    .requiredOption('--workers <n>', 'new number of workers', wholeNumber(1))
    .action(async (run: string, { workers, ...place }: Place & { workers: number }) => {
      const { scaleRun } = await import('../kubernetes/operate.js');
      const api = await connect(place);
      const { queue } = await scaleRun(api, run, workers);
      const when = queue
        ? `, as soon as queue ${queue} admits them; see \`fourfold status ${run}${api.placeFlags}\``
        : '';
      console.log(`run ${run} is set to ${formatCount(workers, 'worker')}${when}`);
    });

  inCluster(program, 'cancel', 'stop a run on Kubernetes and remove its objects')
    .description(
      'Its coordinator writes a checkpoint. What it has stored stays: submitted again, the run resumes from it.',
    )
    .argument('<run>', 'name of the run', runName)
    .option('--wait <seconds>', 'seconds to wait for its pods to end', wholeNumber(0), 180)
    .action(async (run: string, { wait, ...place }: Place & { wait: number }) => {
      const { cancelRun } = await import('../kubernetes/operate.js');
      await cancelRun(await connect(place), run, wait * secondsMs);
      console.log(`${run} is cancelled; what it has stored stays`);
    });

  inCluster(program, 'list', 'list the runs on Kubernetes')
    .addOption(jsonOption())
    .action(async ({ json, ...place }: Place & { json?: true }) => {
      const { listRuns } = await import('../kubernetes/operate.js');
      const { describeRuns } = await import('../kubernetes/describe.js');
      const api = await connect(place);
      const runs = await listRuns(api);
      if (json) return printJson({ namespace: api.namespace, runs });
      console.log(runs.length > 0 ? describeRuns(runs) : `no runs in namespace ${api.namespace}`);
    });
}
