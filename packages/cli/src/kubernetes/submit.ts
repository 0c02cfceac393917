import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesObject } from '@kubernetes/client-node';
import { FourfoldError, parseS3Url, type RunConfig } from '@fourfold/common';
import type { ClusterApi } from './cluster-api.js';
import { configIn, type Manifest } from './manifests.js';
import { preparePrefix, whyNoRunName } from './names.js';
import { describeProblem, problemsOf, type Problem } from './problems.js';
import { runStatusOf, titleOf, type RunStatus } from './run-status.js';

const pollMs = 500;
/** How long a reason must last before it is reported: pods wait for a moment in any cluster. */
const settleMs = 3_000;

/**
 * Check a run for a cluster. Throws `invalid` for a name that Kubernetes does not allow, for data on this machine's disk, for
 * more GPUs than a worker uses, and for a number of threads that each node would choose for itself.
 */
export function checkForCluster(config: RunConfig, { gpus, gpusPerPod }: { gpus: number; gpusPerPod?: number }): void {
  const reason = config.name.startsWith(preparePrefix)
    ? `names that begin with ${preparePrefix} are those of preparations (fourfold submit prepare)`
    : whyNoRunName(config.name);
  if (reason !== undefined) {
    throw new FourfoldError('invalid', `name is ${config.name}: ${reason}`, { hint: 'set another name in the config' });
  }
  const places = {
    dataset: config.dataset,
    store: config.store,
    vgg: config.vgg,
    startFrom: unlessRun(config.startFrom),
    discriminatorFrom: unlessRun(config.discriminatorFrom),
    'validation.images': config.validation?.images,
    'validation.lpipsWeights': config.validation?.lpipsWeights,
  };
  for (const [key, url] of Object.entries(places)) {
    if (url === undefined || parseS3Url(url)) continue;
    throw new FourfoldError('invalid', `${key} is ${url}: pods do not see this machine’s folders`, {
      hint: 'it must be s3://BUCKET/PATH',
    });
  }
  const { lpips, lpipsWeights } = config.validation ?? {};
  if (lpips && lpipsWeights === undefined) {
    throw new FourfoldError('invalid', `validation.lpips is ${lpips}: pods do not see this machine’s cache folder`, {
      hint: 'name its weights in a bucket (--set validation.lpipsWeights=s3://BUCKET/PATH)',
    });
  }
  if (gpus > 1) {
    throw new FourfoldError('invalid', `--gpus is ${gpus}: a worker computes on one GPU`, {
      hint: 'set --gpus 1, and for more GPUs raise --workers; --gpus-per-pod has several of them share a pod',
    });
  }
  if (gpus === 0 && gpusPerPod !== undefined) {
    throw new FourfoldError('invalid', `--gpus is 0, and --gpus-per-pod is ${gpusPerPod}`, {
      hint: 'omit one of them',
    });
  }
  if (gpus === 0 && config.workers.threads === 0) {
    throw new FourfoldError(
      'invalid',
      'workers.threads is 0: each node would choose for itself, and bits would differ',
      {
        hint: 'name how many threads a worker computes with (--set workers.threads=4)',
      },
    );
  }
}

/** Throws `invalid` if the name is taken by a run with another config. The same config again is the same run. */
async function checkNameIsFree(api: ClusterApi, config: RunConfig): Promise<void> {
  const there = await api.config(config.name);
  if (!there || isDeepStrictEqual(configIn(there), plain(config))) return;
  const since = there.metadata?.creationTimestamp;
  const when = since ? ` since ${new Date(since).toISOString()}` : '';
  throw new FourfoldError(
    'invalid',
    `the name ${config.name} is taken in ${api.namespace}${when}, by a run with a different config`,
    {
      hint: `choose another name, or end that run with \`fourfold cancel ${config.name}${api.placeFlags}\``,
    },
  );
}

/** Without keys that are undefined, as a config comes out of YAML. */
const plain = (config: RunConfig): unknown => JSON.parse(JSON.stringify(config));

/**
 * Have the server check all objects, then send them; with `dryRun` only check. Resolves with the resulting objects. Throws
 * `invalid` if the name is another run's.
 */
export async function applyRun(
  api: ClusterApi,
  config: RunConfig,
  manifests: Manifest[],
  dryRun: boolean,
): Promise<KubernetesObject[]> {
  await checkNameIsFree(api, config);
  return applyAll(api, manifests, dryRun, async (manifest) => {
    if (manifest.kind !== 'ConfigMap') return void (await api.apply(manifest));
    // The first of all objects. It is created, not changed: of two users who submit one name at the same time, one gets it.
    if (!(await api.create(manifest))) await checkNameIsFree(api, config);
  });
}

/** Have the server check all objects, then `send` each; with `dryRun` only check. Resolves with the resulting objects. */
export async function applyAll(
  api: ClusterApi,
  manifests: readonly Manifest[],
  dryRun: boolean,
  send: (manifest: Manifest) => Promise<unknown> = (manifest) => api.apply(manifest),
): Promise<KubernetesObject[]> {
  const checked: KubernetesObject[] = [];
  for (const manifest of manifests) checked.push(await api.apply(manifest, true));
  for (const manifest of dryRun ? [] : manifests) await send(manifest);
  return checked.map(withoutBookkeeping);
}

function withoutBookkeeping(object: KubernetesObject): KubernetesObject {
  const metadata = { ...object.metadata };
  delete metadata.managedFields;
  delete metadata.creationTimestamp;
  delete metadata.uid;
  const rest: KubernetesObject & { status?: unknown } = { ...object, metadata };
  delete rest.status;
  return rest;
}

export interface Outcome {
  status: RunStatus;
  /** What keeps some of it from running. */
  problems: Problem[];
}

/**
 * Wait until all parts run, or something has kept one from running for some seconds, or the run is queued, or `waitMs` have
 * passed. Rejects with the reason if a part does not run at all.
 */
export async function waitForStart(
  api: ClusterApi,
  run: string,
  waitMs: number,
  onStatus: (status: RunStatus) => void,
): Promise<Outcome> {
  const deadlineMs = performance.now() + waitMs;
  let since: { reasons: string; atMs: number } | undefined;
  for (;;) {
    const objects = await api.objects(run);
    const status = runStatusOf(run, objects);
    const problems = problemsOf(objects);
    onStatus(status);
    const now = performance.now();
    const reasons = problems.map(({ role, kind }) => `${role} ${kind}`).join();
    if (since?.reasons !== reasons) since = { reasons, atMs: now };
    const hasSettled = problems.length > 0 && now - since.atMs >= settleMs;
    const failed = problems.find(({ kind }) => kind === 'failed');
    if (failed || hasSettled) throwIfStuck(api, status, failed ? [failed] : problems);
    if (hasSettled || hasStarted(status) || now > deadlineMs) return { status, problems };
    await delay(pollMs);
  }
}

const hasStarted = ({ state, roles }: RunStatus): boolean =>
  state === 'queued' || state === 'finished' || roles.every(({ running, wanted, done }) => done || running >= wanted);

/** A run continues with fewer workers than were asked for, but not without any. */
function throwIfStuck({ placeFlags }: ClusterApi, status: RunStatus, problems: readonly Problem[]): void {
  const stuck = problems.find(
    ({ role, kind }) =>
      kind === 'failed' || (kind !== 'queue' && status.roles.some((one) => one.role === role && one.running === 0)),
  );
  if (!stuck) return;
  const command = (name: string, more = '') => `\`fourfold ${name} ${status.run}${placeFlags}${more}\``;
  const role = stuck.role === 'prepare' ? '' : ` --role ${stuck.role}`;
  throw new FourfoldError('unavailable', `${titleOf(status)} does not start: ${describeProblem(stuck)}`, {
    hint:
      stuck.kind === 'failed'
        ? `it is not retried: ${command('logs', role)} says why; then ${command('cancel')}, and submit it again`
        : `it starts as soon as that is fixed; ${command('cancel')} removes it`,
  });
}

/** A place to start from; a name without a slash is that of a run in the store. */
const unlessRun = (from: string | undefined) => (from?.includes('/') ? from : undefined);
