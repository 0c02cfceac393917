import { readFile } from 'node:fs/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import { isTree, roles, type Role, type RunConfig, type Tree } from '@fourfold/common';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { manifestPath } from '../assets.js';
import { finishPod } from './finish-pod.js';
import { labels } from './labels.js';
import { mergePatch } from './merge-patch.js';
import type { PodOptions } from './pod-options.js';
import { podsOf, sharePod } from './share-pod.js';

/*
 * The objects of a run. Their only source is deploy/k8s, which Kustomize also renders: `run` holds the objects, and patches of
 * the components are applied to them here as Kustomize would.
 */

/** Makes Kueue leave a Job's running pods alone while it scales; has no effect if its feature gate is off. */
const elasticJob = { 'kueue.x-k8s.io/elastic-job': 'true' };

/** Names of a run's objects. */
export const namesOf = (run: string) => ({
  config: `${run}-run`,
  budget: `${run}-run`,
  job: (role: Role) => `${run}-${role}`,
});

export interface ManifestOptions extends PodOptions {
  config: RunConfig;
  /** Omitted from the objects unless it is given: then the one who applies them chooses. */
  namespace?: string;
  workers: number;
  /** 0 if workers read the shards themselves. */
  dataLoaders: number;
  /** Per worker: 0 or 1. */
  gpus: number;
  /** Workers that share a pod, each with a GPU; `workers` is a multiple of it. Without it each worker has a pod. */
  gpusPerPod?: number;
  image: string;
  /** The name of a Kueue LocalQueue. */
  queue?: string;
  /** Certificates from the Secrets `fourfold-ROLE-tls`. */
  tls: boolean;
}

export type Manifest = KubernetesObject & Tree;

const files = ['config', 'coordinator', 'worker', 'data-loader', 'service', 'disruption-budget'];

/** The image of a run's pods that deploy/k8s names. */
export async function defaultImage(withGpus: boolean): Promise<string> {
  const files = ['run', ...(withGpus ? ['overlays/gpu'] : [])].map((folder) => `${folder}/kustomization.yaml`);
  const read = (await Promise.all(files.map(readDocuments))) as unknown as { images: KustomizeImage[] }[][];
  const { newName, newTag } = Object.assign({}, ...read.flat().flatMap(({ images }) => images)) as KustomizeImage;
  return `${newName}:${newTag}`;
}

interface KustomizeImage {
  newName: string;
  newTag: string;
}

/** All objects of a run, which `checkForCluster` has passed, in the order in which they are to be applied. */
export async function renderRun(options: ManifestOptions): Promise<Manifest[]> {
  const { dataLoaders } = options;
  const documents = await Promise.all(files.map((file) => readDocuments(`run/${file}.yaml`)));
  const patches = await Promise.all(patchesFor(options).map((file) => readDocuments(file)));
  return documents
    .flat()
    .filter((manifest) => dataLoaders > 0 || roleOf(manifest) !== 'data-loader')
    .map((manifest) => patches.flat().filter(isFor(manifest)).reduce<unknown>(mergePatch, manifest) as Manifest)
    .map((manifest) => finish(manifest, options));
}

function patchesFor({ gpus, tls }: ManifestOptions): string[] {
  return [
    ...(tls ? roles.map((role) => `components/run-tls/${role}.yaml`) : []),
    ...(gpus > 0 ? ['components/gpu/worker.yaml'] : []),
  ];
}

/** The documents of a file of deploy/k8s. */
export async function readDocuments(path: string): Promise<Manifest[]> {
  const text = await readFile(manifestPath(path), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

const roleOf = (manifest: Manifest): string | undefined => manifest.metadata?.labels?.[labels.role];

const isFor = (manifest: Manifest) => (patch: Manifest) =>
  patch.kind === manifest.kind && patch.metadata?.name === manifest.metadata?.name;

/** What differs from run to run. */
function finish(source: Manifest, options: ManifestOptions): Manifest {
  const { config, namespace, queue } = options;
  const manifest = renamed(source, config.name) as Manifest;
  manifest.metadata = {
    ...manifest.metadata,
    name: `${config.name}-${source.metadata?.name}`,
    ...(namespace !== undefined && { namespace }),
    labels: { ...manifest.metadata?.labels, ...options.labels },
  };
  if (manifest.kind === 'ConfigMap') manifest['data'] = { 'run.yaml': stringify(config) };
  if (manifest.kind === 'Job') {
    const role = roleOf(manifest) as Role;
    if (queue) manifest.metadata.labels = { ...manifest.metadata.labels, [labels.queue]: queue };
    if (queue && role === 'worker') manifest.metadata.annotations = { ...manifest.metadata.annotations, ...elasticJob };
    finishJob(manifest['spec'] as Tree, role, options);
  }
  return manifest;
}

function finishJob(spec: Tree, role: Role, options: ManifestOptions): void {
  const { config, workers, dataLoaders, gpus, gpusPerPod } = options;
  const pods = gpusPerPod === undefined ? workers : podsOf(workers, gpusPerPod);
  if (role === 'worker') Object.assign(spec, { completions: pods, parallelism: pods });
  if (role === 'data-loader') spec['parallelism'] = dataLoaders;
  // Each thread has a core. With a GPU the CPU only feeds it: the patch's request is enough.
  const cpu = options.cpu ?? (gpus === 0 ? `${config.workers.threads}` : undefined);
  const template = spec['template'] as Tree;
  finishPod(template, role === 'worker', { ...options, cpu });
  if (role === 'worker' && gpusPerPod !== undefined) sharePod(template, gpusPerPod);
}

/** An object with a run’s name in its instance labels and in the names of its ConfigMaps. */
export function renamed(node: unknown, run: string): unknown {
  if (Array.isArray(node)) return node.map((item) => renamed(item, run));
  if (!isTree(node)) return node;
  const entries = Object.entries(node).map(([key, value]) => {
    if (key === labels.run) return [key, run];
    if (key === 'configMap' && isTree(value)) return [key, { ...value, name: `${run}-${String(value['name'])}` }];
    return [key, renamed(value, run)];
  });
  return Object.fromEntries(entries) as Tree;
}

/** The config that a run's ConfigMap holds. */
export const configIn = (manifest: { data?: Record<string, string> }): unknown =>
  parse(manifest.data?.['run.yaml'] ?? '');
