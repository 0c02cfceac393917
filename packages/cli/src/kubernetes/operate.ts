import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
import { roleOf, runOf, type ClusterApi } from './cluster-api.js';
import { namesOf, roles } from './manifests.js';
import type { RunObjects } from './problems.js';
import { runStatusOf, type RunStatus } from './run-status.js';
import { readTraining } from './training-status.js';

const pollMs = 1_000;

/** A run's status, with what its coordinator says of the training. Throws `not-found`. */
export async function readStatus(api: ClusterApi, run: string): Promise<RunStatus> {
  const objects = await objectsOf(api, run);
  const status = runStatusOf(run, objects);
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

/** That there is no such run, and which there are. */
export async function noRun(api: ClusterApi, run: string): Promise<FourfoldError> {
  const names = [...new Set((await api.jobs()).map(runOf))].sort();
  return new FourfoldError('not-found', `there is no run ${run} in namespace ${api.namespace}`, {
    hint: names.length > 0 ? `there are ${names.join(', ')}` : 'there is none at all; --namespace names another one',
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
 * Give a run so many workers, while it runs or waits. Resolves with its state and queue before that. Throws `not-found`, and `invalid`
 * for one that has ended.
 */
export async function scaleRun(
  api: ClusterApi,
  run: string,
  workers: number,
): Promise<Pick<RunStatus, 'state' | 'queue'>> {
  const { state, queue } = runStatusOf(run, await objectsOf(api, run));
  if (state === 'finished' || state === 'failed') {
    throw new FourfoldError('invalid', `run ${run} has ${state}`, { hint: 'submit it again under another name' });
  }
  // An Indexed Job's two numbers change together: the highest indexes go first, and come last.
  await api.change({
    ...{
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: namesOf(run).job('worker'), namespace: api.namespace },
    },
    spec: { completions: workers, parallelism: workers },
  });
  return { state, queue };
}

/**
 * Remove a run's objects. Its pods are told to stop, so that the coordinator writes a checkpoint: what is in the object store stays.
 * With `waitMs` resolves when all pods are gone. Throws `not-found`, `unavailable` when pods stay for longer.
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
  for (const role of roles) await api.remove(object('batch/v1', 'Job', names.job(role)));
  await api.remove(object('v1', 'Service', names.job('coordinator')));
  // Last: with it the name is free.
  const deadlineMs = performance.now() + waitMs;
  for (let pods = await api.pods(run); pods.length > 0 && waitMs > 0; pods = await api.pods(run)) {
    if (performance.now() > deadlineMs) {
      throw new FourfoldError('unavailable', `${pods.length} pods of run ${run} are still stopping`, {
        hint: 'repeat the command to wait on',
      });
    }
    await delay(pollMs / 4);
  }
  await api.remove(object('v1', 'ConfigMap', names.config));
}
