import { loadRunConfig } from '@fourfold/common';
import type { Command } from 'commander';
import type { ClusterApi } from '../kubernetes/cluster-api.js';
import { queueName } from '../kubernetes/names.js';
import { collect, wholeNumber } from './arguments.js';
import { connect, inCluster } from './in-cluster.js';
import {
  dryRunOf,
  podOptionsOf,
  printObjects,
  reportStart,
  trafficOfPods,
  withPodOptions,
  type PodArguments,
} from './pod-arguments.js';
import { registerSubmitPrepare } from './submit-prepare.js';

interface SubmitArguments extends PodArguments {
  set: string[];
  workers?: number;
  dataLoaders: number;
  gpus?: number;
  gpusPerPod?: number;
  queue?: string;
  placeAllPods: boolean;
}

/** `fourfold submit`. */
export function registerSubmit(program: Command): void {
  const submitting = inCluster(program, 'submit', 'train on a Kubernetes cluster')
    .description(
      'Apply a run’s objects, those of deploy/k8s, and wait until its parts run. Repeated, the command changes only options ' +
        'that differ, such as --workers. The namespace must be prepared once (docs/kubernetes.md).',
    )
    .argument('<config>', 'config of the run')
    .option('--set <key=value>', 'key of the config to override; may be repeated', collect, [])
    .option('--workers <n>', 'number of workers (default: 2, or those of one pod)', wholeNumber(1))
    .option('--data-loaders <n>', 'number of data-loaders, where batches.from is nats', wholeNumber(1), 2)
    .option('--gpus <n>', 'GPUs per worker: 1, or 0 for CPUs (default: 0, or 1 with --gpus-per-pod)', wholeNumber(0))
    .option(
      '--gpus-per-pod <n>',
      'workers that share a pod and its memory, each with a GPU: those of a node (default: a pod for each worker)',
      wholeNumber(1),
    )
    .option('--queue <name>', 'Kueue LocalQueue that admits the run', queueName);
  withPodOptions(submitting, 'a worker')
    .option('--place-all-pods', 'apply --node-selector and --toleration to all pods, not only to workers', false)
    .action(submit);
  // Options after `prepare` are its own: commander would give them to `submit`, which has some of the same names.
  for (const command of [program, submitting]) command.enablePositionalOptions();
  registerSubmitPrepare(submitting);
}

async function submit(path: string, options: SubmitArguments): Promise<void> {
  const { defaultImage, renderRun } = await import('../kubernetes/manifests.js');
  const { applyRun, checkForCluster } = await import('../kubernetes/submit.js');
  const { set, gpusPerPod, dataLoaders, queue, placeAllPods } = options;
  const { gpus = gpusPerPod === undefined ? 0 : 1, workers = gpusPerPod ?? 2 } = options;
  const dryRun = dryRunOf(options);
  const config = await loadRunConfig(path, set);
  checkForCluster(config, { gpus, gpusPerPod });
  const api = dryRun === 'client' ? undefined : await connect(options);
  if (api && gpus > 0 && queue === undefined) await warnOfMixedGpus(api, options);
  const manifests = await renderRun({
    ...podOptionsOf(options),
    ...{ config, gpus, gpusPerPod, workers, queue, placeAllPods },
    tls: await trafficOfPods(options, api),
    namespace: api?.namespace ?? options.namespace,
    image: options.image ?? (await defaultImage(gpus > 0)),
    dataLoaders: config.batches.from === 'nats' ? dataLoaders : 0,
  });
  const sent = api ? await applyRun(api, config, manifests, dryRun === 'server') : manifests;
  if (!api || dryRun) return printObjects(sent, options);
  await reportStart(api, config.name, options);
}

/** In a queue, Kueue's flavors choose the nodes. */
async function warnOfMixedGpus(api: ClusterApi, { nodeSelector }: SubmitArguments): Promise<void> {
  const { mixedGpus } = await import('../kubernetes/gpu-models.js');
  const warning = mixedGpus((await api.nodes()) ?? [], nodeSelector);
  if (warning !== undefined) console.error(warning);
}
