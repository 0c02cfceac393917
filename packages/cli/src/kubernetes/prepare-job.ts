import { posix } from 'node:path';
import { FourfoldError, parseS3Url, type Tree } from '@fourfold/common';
import { finishPod } from './finish-pod.js';
import { labels } from './labels.js';
import { readDocuments, renamed, type Manifest } from './manifests.js';
import { mergePatch } from './merge-patch.js';
import { preparePrefix, whyNoRunName } from './names.js';
import type { PodOptions } from './pod-options.js';

/*
 * `fourfold prepare` as a Job. It is listed, followed and cancelled like a run, under the name `prepare-DATASET`.
 */

export interface PrepareJobOptions extends PodOptions {
  /** `s3:` URLs, or with `claim` paths in its volume. */
  images: readonly string[];
  /** An `s3:` URL. */
  out: string;
  /** The PersistentVolumeClaim that holds the photographs. */
  claim?: string;
  /** The dataset's name; by default the last part of `out`. */
  name?: string;
  /** Other arguments of `fourfold prepare`. */
  args: readonly string[];
  namespace?: string;
  image: string;
  queue?: string;
  tls: boolean;
}

/** Where the claim's volume is mounted. */
const mountPath = '/photographs';

/** The name under which the Job of a dataset is found. Throws `invalid` if Kubernetes would not allow it. */
export function prepareName({ out, name }: Pick<PrepareJobOptions, 'out' | 'name'>): string {
  const dataset = name ?? posix.basename(out);
  const job = `${preparePrefix}${dataset}`;
  const reason = whyNoRunName(job);
  if (reason === undefined) return job;
  throw new FourfoldError('invalid', `the Job’s name would be ${job}: ${reason}`, {
    hint: 'set another name with --name',
  });
}

/** Throws `invalid` for photographs and datasets that a pod does not see. */
export function checkPlaces({ images, out, claim }: Pick<PrepareJobOptions, 'images' | 'out' | 'claim'>): void {
  const refuse = (problem: string, hint: string) => new FourfoldError('invalid', problem, { hint });
  if (!parseS3Url(out)) {
    throw refuse(`--out is ${out}: a pod does not see this machine’s folders`, 'it must be s3://BUCKET/PATH');
  }
  const hint = 'copy the photographs to s3://BUCKET/PATH, or onto a volume and name its claim with --claim';
  for (const place of images) {
    const isInStore = parseS3Url(place) !== undefined;
    if (!isInStore && /^\w+:\/\//.test(place))
      throw refuse(`--images is ${place}: prepare does not read such URLs`, hint);
    if (!isInStore && claim === undefined) {
      throw refuse(`--images is ${place}: a pod does not see this machine’s folders`, hint);
    }
    if (!isInStore && posix.normalize(place).startsWith('..')) {
      throw refuse(`--images is ${place}: it leads out of the claim’s volume`, 'name a path in it, or . for all of it');
    }
  }
}

/** The Job, for options that `checkPlaces` has passed. */
export async function renderPrepare(options: PrepareJobOptions): Promise<Manifest> {
  const { namespace, queue, claim, tls } = options;
  const name = prepareName(options);
  const [source] = await readDocuments('prepare/prepare.yaml');
  const patches = tls ? await readDocuments('components/run-tls/prepare.yaml') : [];
  const manifest = renamed(patches.reduce<unknown>(mergePatch, source), name) as Manifest;
  manifest.metadata = {
    name,
    ...(namespace !== undefined && { namespace }),
    labels: { ...manifest.metadata?.labels, ...options.labels, ...(queue !== undefined && { [labels.queue]: queue }) },
  };
  const template = (manifest['spec'] as Tree)['template'] as Tree;
  finishPod(template, true, options);
  const pod = template['spec'] as { containers: Tree[]; volumes: Tree[] };
  const [container] = pod.containers;
  container['args'] = argumentsOf(options);
  if (claim !== undefined) {
    container['volumeMounts'] = [
      ...(container['volumeMounts'] as Tree[]),
      { name: 'photographs', mountPath, readOnly: true },
    ];
    pod.volumes.push({ name: 'photographs', persistentVolumeClaim: { claimName: claim, readOnly: true } });
  }
  return manifest;
}

function argumentsOf({ images, out, name, args }: PrepareJobOptions): string[] {
  const placeOf = (place: string) => (parseS3Url(place) ? place : posix.join(mountPath, place));
  return [
    '--if-missing',
    ...images.map((place) => `--images=${placeOf(place)}`),
    `--out=${out}`,
    ...(name === undefined ? [] : [`--name=${name}`]),
    ...args,
  ];
}
