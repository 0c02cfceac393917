import { FourfoldError, loadRunConfig, roles, type Role } from '@fourfold/common';
import { Option, type Command } from 'commander';
import { namespaceName, queueName, runName } from '../kubernetes/names.js';
import { abortOnInterruption } from '../interruption.js';
import { formatCount } from '../terminal/table.js';
import { collect, jsonOption, printJson, wholeNumber } from './arguments.js';

/*
 * Runs on Kubernetes. The client is loaded when a command needs it: it is large.
 */

interface Place {
  namespace?: string;
  context?: string;
}

interface SubmitOptions extends Place {
  set: string[];
  workers: number;
  dataLoaders: number;
  gpus: number;
  queue?: string;
  image?: string;
  tls: boolean;
  dryRun: boolean;
  wait: number;
  json?: true;
}

const secondsMs = 1000;

/** `fourfold submit`, `status`, `logs`, `scale`, `cancel` and `list`. */
// eslint-disable-next-line max-lines-per-function -- a list of commands and their options
export function registerKubernetes(program: Command): void {
  inCluster(program, 'submit', 'train on a Kubernetes cluster')
    .description(
      'Apply a run’s objects, those of deploy/k8s, and wait until its parts run. Repeated, the command changes only options ' +
        'that differ, such as --workers. The namespace must be prepared once (docs/kubernetes.md).',
    )
    .argument('<config>', 'the run’s config')
    .option('--set <key=value>', 'override a key of the config; may be repeated', collect, [])
    .option('--workers <n>', 'workers', wholeNumber(1), 2)
    .option('--data-loaders <n>', 'data-loaders, where batches.from is nats', wholeNumber(1), 2)
    .option('--gpus <n>', 'GPUs per worker: 1, or 0 for CPUs', wholeNumber(0), 0)
    .option('--queue <name>', 'the Kueue LocalQueue that admits the run', queueName)
    .option('--image <image>', 'the image of all parts (default: that of deploy/k8s/base)')
    .option('--tls', 'use the certificates in the Secrets fourfold-ROLE-tls', false)
    .option('--dry-run', 'print what would be sent, after the server has checked it', false)
    .option('--wait <seconds>', 'how long to wait for its parts to run', wholeNumber(0), 120)
    .addOption(jsonOption())
    .action(submit);

  inCluster(program, 'status', 'show how far a run on Kubernetes is, and the state of its parts')
    .argument('<run>', 'the run’s name', runName)
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
    .argument('<run>', 'the run’s name', runName)
    .addOption(new Option('--role <role>', 'whose log').choices(roles).default('coordinator'))
    .option('--index <n>', 'number of the worker (default: all)', wholeNumber(0))
    .option('-f, --follow', 'follow the logs, and those of replacements, until the run ends', false)
    .option('--tail <n>', 'only the last n lines of each log', wholeNumber(1))
    .action(async (run: string, options: Place & { role: Role; index?: number; follow: boolean; tail?: number }) => {
      const { readLogs } = await import('../kubernetes/run-logs.js');
      const hasSeveral = options.role !== 'coordinator' && options.index === undefined;
      const onLine = (line: string, pod: string) => console.log(hasSeveral ? `${pod} ${line}` : line);
      await readLogs(await connect(options), run, { ...options, onLine, signal: abortOnInterruption() });
    });

  inCluster(program, 'scale', 'give a run on Kubernetes more or fewer workers')
    .description(
      'Give a run on Kubernetes more or fewer workers, while it runs or waits. In a queue, Kueue has to admit them: running workers ' +
        'continue if its feature gate ElasticJobsViaWorkloadSlices is on; otherwise all stop, and start again when the quota has room.',
    )
    .argument('<run>', 'the run’s name', runName)
    .requiredOption('--workers <n>', 'the new number of workers', wholeNumber(1))
    .action(async (run: string, { workers, ...place }: Place & { workers: number }) => {
      const { scaleRun } = await import('../kubernetes/operate.js');
      const { queue } = await scaleRun(await connect(place), run, workers);
      const when = queue ? `, as soon as queue ${queue} admits them; see \`fourfold status ${run}\`` : '';
      console.log(`run ${run} is set to ${formatCount(workers, 'worker')}${when}`);
    });

  inCluster(program, 'cancel', 'stop a run on Kubernetes and remove its objects')
    .description(
      'Its coordinator writes a checkpoint. Its objects in the store stay: submitted again, the run resumes from them.',
    )
    .argument('<run>', 'the run’s name', runName)
    .option('--wait <seconds>', 'how long to wait for its pods to end', wholeNumber(0), 180)
    .action(async (run: string, { wait, ...place }: Place & { wait: number }) => {
      const { cancelRun } = await import('../kubernetes/operate.js');
      await cancelRun(await connect(place), run, wait * secondsMs);
      console.log(`run ${run} is cancelled; its checkpoints stay`);
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

const inCluster = (program: Command, name: string, summary: string): Command =>
  program
    .command(name)
    .summary(summary)
    .description(`${summary[0].toUpperCase()}${summary.slice(1)}.`)
    .option('--namespace <name>', 'the namespace (default: the kubeconfig context’s)', namespaceName)
    .option('--context <name>', 'the kubeconfig’s context (default: its current one)');

async function connect(place: Place) {
  const { connectToCluster } = await import('../kubernetes/cluster-api.js');
  return connectToCluster(place);
}

async function submit(path: string, options: SubmitOptions): Promise<void> {
  const { stringify } = await import('yaml');
  const { defaultImage, renderRun } = await import('../kubernetes/manifests.js');
  const { applyRun, checkForCluster, waitForStart } = await import('../kubernetes/submit.js');
  const { describeStart } = await import('../kubernetes/describe.js');
  const { set, gpus, dataLoaders, dryRun, wait, json, ...rest } = options;
  const config = await loadRunConfig(path, set);
  checkForCluster(config, gpus);
  const api = await connect(options);
  const manifests = await renderRun({
    ...rest,
    ...{ config, gpus, namespace: api.namespace, image: options.image ?? (await defaultImage()) },
    dataLoaders: config.batches.from === 'nats' ? dataLoaders : 0,
  });
  const sent = await applyRun(api, config, manifests, dryRun);
  if (dryRun)
    return console.log(json ? JSON.stringify(sent, null, 2) : sent.map((object) => stringify(object)).join('---\n'));
  let before = '';
  const { status } = await waitForStart(api, config.name, wait * secondsMs, (now) => {
    const line = describeStart(now);
    if (!json && line !== before) console.error(line);
    before = line;
  });
  if (json) return printJson(status);
  for (const problem of status.problems) console.log(problem);
  console.log(
    `run ${config.name} in namespace ${api.namespace} is ${status.state}; \`fourfold status ${config.name}\` shows more`,
  );
}
