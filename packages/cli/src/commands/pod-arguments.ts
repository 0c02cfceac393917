import { FourfoldError } from '@fourfold/common';
import type { KubernetesObject } from '@kubernetes/client-node';
import { Option, type Command } from 'commander';
import type { ClusterApi } from '../kubernetes/cluster-api.js';
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
import { jsonOption, printJson, repeatable, wholeNumber } from './arguments.js';
import type { Place } from './in-cluster.js';

/*
 * What `submit` and `submit prepare` share: options for pods, where the objects go, and what is said about them.
 */

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
  wait: number;
  dryRun?: 'client' | 'server' | 'none';
  output?: 'yaml' | 'json';
  json?: true;
}

const secondsMs = 1000;

/** Add the options for pods; `sized` is the pod whose place and size they are. */
export const withPodOptions = (command: Command, sized: string): Command =>
  command
    .option('--image <image>', 'image of all pods (default: that of deploy/k8s/run, with GPUs that of overlays/gpu)')
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
    .option('--priority-class <name>', 'PriorityClass of all pods', objectName)
    .option(
      '--image-pull-secret <name>',
      'Secret of the registry, for all pods; may be repeated',
      repeatable(collectNames),
    )
    .option('--label <key=value>', 'label of all objects and pods; may be repeated', repeatable(collectLabels))
    .option('--wait <seconds>', 'seconds to wait until all pods run', wholeNumber(0), 120)
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

/** Whether pods use TLS; what the user should know about it is printed first. */
export async function trafficOfPods({ tls: asked }: PodArguments, api: ClusterApi | undefined): Promise<boolean> {
  const { trafficOf, trafficWithoutCluster } = await import('../kubernetes/traffic.js');
  const { tls, note } = api ? trafficOf(asked, await api.environment(), api.namespace) : trafficWithoutCluster(asked);
  if (note !== undefined) console.error(note);
  return tls;
}

/** Wait until a run's parts run, and print how far it is. */
export async function reportStart(
  api: ClusterApi,
  run: string,
  { wait, json }: { wait: number; json?: true },
): Promise<void> {
  const { waitForStart } = await import('../kubernetes/submit.js');
  const { describeStart } = await import('../kubernetes/describe.js');
  const { titleOf } = await import('../kubernetes/run-status.js');
  let before = '';
  const { status } = await waitForStart(api, run, wait * secondsMs, (now) => {
    const line = describeStart(now);
    if (!json && line !== before) console.error(line);
    before = line;
  });
  if (json) return printJson(status);
  for (const problem of status.problems) console.log(problem);
  const shows = `\`fourfold status ${run}${api.placeFlags}\` shows more`;
  console.log(`${titleOf(status)} in namespace ${api.namespace} is ${status.state}; ${shows}`);
}
