import { FourfoldError, loadRunConfig } from '@fourfold/common';
import type { KubernetesObject } from '@kubernetes/client-node';
import { Option, type Command } from 'commander';
import { queueName } from '../kubernetes/names.js';
import {
  collectLabels,
  collectNames,
  collectPairs,
  collectTolerations,
  cpuQuantity,
  memoryQuantity,
  objectName,
  type PodOptions,
  type Toleration,
} from '../kubernetes/pod-options.js';
import { collect, jsonOption, printJson, repeatable, wholeNumber } from './arguments.js';
import { connect, inCluster, type Place } from './in-cluster.js';

/** Options of every command that submits pods. */
export interface PodArguments extends Place {
  image?: string;
  toleration?: Toleration[];
  nodeSelector?: Record<string, string>;
  cpu?: string;
  memory?: string;
  priorityClass?: string;
  imagePullSecret?: string[];
  label?: Record<string, string>;
  tls?: boolean;
  dryRun?: 'client' | 'server' | 'none';
  output?: 'yaml' | 'json';
  json?: true;
}

interface SubmitArguments extends PodArguments {
  set: string[];
  workers: number;
  dataLoaders: number;
  gpus: number;
  queue?: string;
  placeAllPods: boolean;
  wait: number;
}

const secondsMs = 1000;

/** `fourfold submit`. */
export function registerSubmit(program: Command): void {
  const submitting = inCluster(program, 'submit', 'train on a Kubernetes cluster')
    .description(
      'Apply a run’s objects, those of deploy/k8s, and wait until its parts run. Repeated, the command changes only options ' +
        'that differ, such as --workers. The namespace must be prepared once (docs/kubernetes.md).',
    )
    .argument('<config>', 'the run’s config')
    .option('--set <key=value>', 'override a key of the config; may be repeated', collect, [])
    .option('--workers <n>', 'workers', wholeNumber(1), 2)
    .option('--data-loaders <n>', 'data-loaders, where batches.from is nats', wholeNumber(1), 2)
    .option('--gpus <n>', 'GPUs per worker: 1, or 0 for CPUs', wholeNumber(0), 0)
    .option('--queue <name>', 'the Kueue LocalQueue that admits the run', queueName);
  withPodOptions(submitting, 'a worker')
    .option('--place-all-pods', '--node-selector and --toleration for all pods, not only for workers', false)
    .option('--wait <seconds>', 'how long to wait for its parts to run', wholeNumber(0), 120)
    .action(submit);
}

/** Add the options for pods; `sized` is the pod whose place and size they are. */
export const withPodOptions = (command: Command, sized: string): Command =>
  command
    .option(
      '--image <image>',
      'the image of all pods (default: that of deploy/k8s/run, with GPUs that of overlays/gpu)',
    )
    .option(
      '--node-selector <key=value>',
      `labels of the nodes for ${sized}; may be repeated`,
      repeatable(collectPairs),
    )
    .option(
      '--toleration <taint>',
      `KEY[=VALUE][:EFFECT] that ${sized} tolerates; may be repeated`,
      repeatable(collectTolerations),
    )
    .option('--cpu <quantity>', `CPUs that ${sized} requests`, cpuQuantity)
    .option('--memory <quantity>', `memory that ${sized} requests, and its limit`, memoryQuantity)
    .option('--priority-class <name>', 'the PriorityClass of all pods', objectName)
    .option(
      '--image-pull-secret <name>',
      'Secret of the registry, for all pods; may be repeated',
      repeatable(collectNames),
    )
    .option('--label <key=value>', 'label of all objects and pods; may be repeated', repeatable(collectLabels))
    .option('--tls', 'use the certificates in the Secrets fourfold-ROLE-tls (default: if the namespace has TLS)')
    .option('--no-tls', 'plain text, where the namespace allows it')
    .addOption(
      new Option(
        '--dry-run [where]',
        'print the objects and send nothing: client needs no cluster, server has it check them',
      )
        .choices(['client', 'server', 'none'])
        .preset('server'),
    )
    .addOption(new Option('-o, --output <format>', 'format of --dry-run (default: yaml)').choices(['yaml', 'json']))
    .addOption(jsonOption());

/** The options for pods, as the manifests take them. */
export const podOptionsOf = (given: PodArguments): PodOptions => ({
  nodeSelector: given.nodeSelector,
  tolerations: given.toleration,
  cpu: given.cpu,
  memory: given.memory,
  priorityClass: given.priorityClass,
  imagePullSecrets: given.imagePullSecret,
  labels: given.label,
});

/** Where nothing is sent; undefined if all is. Throws `invalid` for a format of nothing. */
export function dryRunOf({ dryRun, output }: PodArguments): 'client' | 'server' | undefined {
  const where = dryRun === 'none' ? undefined : dryRun;
  if (where === undefined && output !== undefined) {
    throw new FourfoldError('invalid', `-o ${output} prints objects that are not sent`, {
      hint: 'add --dry-run=client or --dry-run=server',
    });
  }
  return where;
}

/** Print objects as `kubectl apply -f -` reads them. */
export async function printObjects(
  objects: readonly KubernetesObject[],
  { output, json }: PodArguments,
): Promise<void> {
  const { stringify } = await import('yaml');
  if (output === 'json' || (json && output === undefined))
    return printJson({ apiVersion: 'v1', kind: 'List', items: objects });
  process.stdout.write(objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join('---\n'));
}

async function submit(path: string, options: SubmitArguments): Promise<void> {
  const { defaultImage, renderRun } = await import('../kubernetes/manifests.js');
  const { applyRun, checkForCluster } = await import('../kubernetes/submit.js');
  const { trafficOf, trafficWithoutCluster } = await import('../kubernetes/traffic.js');
  const { set, gpus, workers, dataLoaders, queue, placeAllPods } = options;
  const dryRun = dryRunOf(options);
  const config = await loadRunConfig(path, set);
  checkForCluster(config, gpus);
  const api = dryRun === 'client' ? undefined : await connect(options);
  const { tls, note } = api
    ? trafficOf(options.tls, await api.environment(), api.namespace)
    : trafficWithoutCluster(options.tls);
  if (note !== undefined) console.error(note);
  const manifests = await renderRun({
    ...podOptionsOf(options),
    ...{ config, gpus, workers, queue, placeAllPods, tls },
    namespace: api?.namespace ?? options.namespace,
    image: options.image ?? (await defaultImage(gpus > 0)),
    dataLoaders: config.batches.from === 'nats' ? dataLoaders : 0,
  });
  const sent = api ? await applyRun(api, config, manifests, dryRun === 'server') : manifests;
  if (!api || dryRun) return printObjects(sent, options);
  await reportStart(api, config.name, options);
}

async function reportStart(
  api: Awaited<ReturnType<typeof connect>>,
  run: string,
  { wait, json }: SubmitArguments,
): Promise<void> {
  const { waitForStart } = await import('../kubernetes/submit.js');
  const { describeStart } = await import('../kubernetes/describe.js');
  let before = '';
  const { status } = await waitForStart(api, run, wait * secondsMs, (now) => {
    const line = describeStart(now);
    if (!json && line !== before) console.error(line);
    before = line;
  });
  if (json) return printJson(status);
  for (const problem of status.problems) console.log(problem);
  console.log(`run ${run} in namespace ${api.namespace} is ${status.state}; \`fourfold status ${run}\` shows more`);
}
