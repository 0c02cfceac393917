import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
import type { ClusterApi } from './cluster-api.js';
import { roleOf, runOf } from './labels.js';
import { namesOf } from './manifests.js';
import type { RunObjects } from './problems.js';
import { lastLine } from './last-line.js';
import { podsOf } from './share-pod.js';
import { isPreparation, runStatusOf, type RunStatus } from './run-status.js';
import { readTraining } from './training-status.js';
import { formatCount } from '../terminal/table.js';

const pollMs = 1_000;

/** A run's status, with what its coordinator says of the training. Throws `not-found`. */
export async function readStatus(api: ClusterApi, run: string): Promise<RunStatus> {
  const objects = await objectsOf(api, run);
  const status = runStatusOf(run, objects);
  if (isPreparation(status)) return { ...status, progress: await lastLine(api, objects.pods) };
  const coordinator = objects.pods.find((pod) => roleOf(pod) === 'coordinator' && pod.status?.phase === 'Running');
  if (!coordinator) return status;
  try {
    return { ...status, training: await readTraining(api.getFromPod, coordinator) };
  } catch (error) {
    if (!(error instanceof FourfoldError)) throw error;
    return { ...status, trainingUnknown: error.message };
  }
}

async function objectsOf(api: ClusterApi, run: string): Promise<RunObjects> {
  const objects = await api.objects(run);
  if (objects.jobs.length === 0) throw await noRun(api, run);
  return objects;
}

/** The error for a missing run, with the existing ones. */
export async function noRun(api: ClusterApi, run: string): Promise<FourfoldError> {
  const names = [...new Set((await api.jobs()).map(runOf))].sort();
  return new FourfoldError('not-found', `there is no run ${run} in namespace ${api.namespace}`, {
    hint: names.length > 0 ? `its runs: ${names.join(', ')}` : 'it has no runs; --namespace names another',
  });
}

/** Statuses of all runs of the namespace, the newest first. */
export async function listRuns(api: ClusterApi): Promise<RunStatus[]> {
  const [jobs, pods] = await Promise.all([api.jobs(), api.pods()]);
  const names = [...new Set(jobs.map(runOf))];
  const statuses = names.map((run) => {
    const isOfRun = (object: (typeof jobs)[number] | (typeof pods)[number]) => runOf(object) === run;
    return runStatusOf(run, { jobs: jobs.filter(isOfRun), pods: pods.filter(isOfRun), events: [] });
  });
  return statuses.sort((a, b) => (b.submittedAt ?? '').localeCompare(a.submittedAt ?? ''));
}

/** Call `onStatus` whenever a run's status has changed, until the run has ended; resolves with the last one. */
export async function watchRun(
  api: ClusterApi,
  run: string,
  onStatus: (status: RunStatus) => void,
  signal: AbortSignal,
): Promise<RunStatus> {
  let before = '';
  for (;;) {
    const status = await readStatus(api, run);
    const text = JSON.stringify(status);
    if (text !== before) onStatus(status);
    before = text;
    if (status.state === 'finished' || status.state === 'failed') return status;
    await delay(pollMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/**
 * Set the number of workers of a run that runs or waits. Resolves with its state and queue before that. Throws `not-found`, and
 * `invalid` for a run that has ended or a number that its pods cannot have.
 */
export async function scaleRun(
  api: ClusterApi,
  run: string,
  workers: number,
): Promise<Pick<RunStatus, 'state' | 'queue'>> {
  const { state, queue, roles } = runStatusOf(run, await objectsOf(api, run));
  if (isPreparation({ roles })) throw new FourfoldError('invalid', `${run} has no workers: it prepares a dataset`);
  if (state === 'finished' || state === 'failed') {
    throw new FourfoldError('invalid', `run ${run} has ${state}`, { hint: 'submit it again under another name' });
  }
  const { workersPerPod = 1 } = roles.find(({ role }) => role === 'worker') ?? {};
  const pods = podsOf(workers, workersPerPod, `each pod of run ${run} has ${workersPerPod} workers`);
  // An Indexed Job's two numbers change together: the highest indexes are removed first and added last.
  await api.change({
    ...{
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: namesOf(run).job('worker'), namespace: api.namespace },
    },
    spec: { completions: pods, parallelism: pods },
  });
  return { state, queue };
}

/**
 * Remove a run's objects. Its pods are told to stop, so that the coordinator writes a checkpoint; the object store is left
 * alone. With `waitMs` it resolves when all pods are gone. Throws `not-found`, and `unavailable` if pods stay for longer.
 */
export async function cancelRun(api: ClusterApi, run: string, waitMs: number): Promise<void> {
  if (!(await api.config(run)) && (await api.jobs(run)).length === 0) throw await noRun(api, run);
  const { namespace } = api;
  const names = namesOf(run);
  const object = (apiVersion: string, kind: string, name: string): KubernetesObject => ({
    ...{ apiVersion, kind },
    metadata: { name, namespace },
  });
  await api.remove(object('policy/v1', 'PodDisruptionBudget', names.budget));
  for (const { metadata } of await api.jobs(run)) await api.remove(object('batch/v1', 'Job', `${metadata?.name}`));
  await api.remove(object('v1', 'Service', names.job('coordinator')));
  // Last: its removal frees the name.
  const deadlineMs = performance.now() + waitMs;
  for (let pods = await api.pods(run); pods.length > 0 && waitMs > 0; pods = await api.pods(run)) {
    if (performance.now() > deadlineMs) {
      throw new FourfoldError('unavailable', `run ${run} still has ${formatCount(pods.length, 'stopping pod')}`, {
        hint: 'repeat the command to keep waiting',
      });
    }
    await delay(pollMs / 4);
  }
  await api.remove(object('v1', 'ConfigMap', names.config));
}
