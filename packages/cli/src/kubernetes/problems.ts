import type { CoreV1Event, V1Job, V1Pod } from '@kubernetes/client-node';
import { gpuResource, roleOf } from './labels.js';

/** What a run's objects look like at one moment. */
export interface RunObjects {
  jobs: readonly V1Job[];
  pods: readonly V1Pod[];
  /** Of these jobs and pods. */
  events: readonly CoreV1Event[];
  /** GPUs of all nodes together; undefined without permission to list nodes. */
  clusterGpus?: number;
}

/** Why a part of a run is not running. */
export interface Problem {
  role: string;
  kind: 'quota' | 'queue' | 'image' | 'gpu' | 'unschedulable' | 'start' | 'create' | 'memory' | 'failed';
  /** How many pods it concerns. */
  count: number;
  /** The reason, on one line. */
  reason: string;
}

const imageReasons = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'];
const startReasons = ['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'];

/** What keeps pods from running, each reason once per role; empty if nothing does. */
export function problemsOf(objects: RunObjects): Problem[] {
  const found = [
    ...objects.jobs.flatMap((job) => [...jobProblems(job, objects), ...memoryProblems(job, objects)]),
    ...podProblems(objects),
  ];
  const grouped = new Map<string, Problem>();
  for (const problem of found) {
    const key = [problem.role, problem.kind, problem.reason].join();
    const before = grouped.get(key);
    if (before) before.count += problem.count;
    else grouped.set(key, { ...problem });
  }
  return [...grouped.values()];
}

function jobProblems(job: V1Job, { events }: RunObjects): Problem[] {
  const role = roleOf(job) || 'pod';
  const { status, spec } = job;
  const failed = status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True');
  if (failed) return [{ role, kind: 'failed', count: 1, reason: oneLine(failed.message ?? failed.reason ?? 'failed') }];
  const missing = (spec?.parallelism ?? 1) - (status?.active ?? 0) - (status?.succeeded ?? 0);
  if (missing <= 0 || spec?.suspend) return [];
  const refused = newest(events.filter((event) => isAbout(event, job) && event.reason === 'FailedCreate'));
  if (!refused?.message) return [];
  const quota = /exceeded quota: .*/.exec(refused.message)?.[0];
  const reason = oneLine(quota ?? refused.message.replace(/^Error creating: pods ".*?" is forbidden: /, ''));
  return [{ role, kind: quota ? 'quota' : 'create', count: missing, reason }];
}

/** Pods that needed more memory than their limit, while fewer run than there should be. */
function memoryProblems(job: V1Job, { pods }: RunObjects): Problem[] {
  const own = pods.filter((pod) => roleOf(pod) === roleOf(job));
  const running = own.filter(({ status }) => status?.phase === 'Running').length;
  if (job.status?.completionTime || running >= (job.spec?.parallelism ?? 1)) return [];
  return own.flatMap(({ spec, status }): Problem[] => {
    const killed = status?.containerStatuses?.some(({ state }) => state?.terminated?.reason === 'OOMKilled');
    if (!killed) return [];
    const limit = spec?.containers[0].resources?.limits?.['memory'] ?? 'the node’s';
    return [{ role: roleOf(job) || 'pod', kind: 'memory', count: 1, reason: `out of memory, the limit is ${limit}` }];
  });
}

function podProblems({ pods, events, clusterGpus }: RunObjects): Problem[] {
  return pods
    .filter(({ status, metadata }) => status?.phase === 'Pending' && !metadata?.deletionTimestamp)
    .flatMap((pod): Problem[] => {
      const role = roleOf(pod) || 'pod';
      const unscheduled = pod.status?.conditions?.find(
        ({ type, status }) => type === 'PodScheduled' && status === 'False',
      );
      if (unscheduled?.reason === 'Unschedulable') {
        const message = oneLine(unscheduled.message ?? '').replace(
          /( no new claims to deallocate,)? preemption: .*/,
          '',
        );
        const lacksGpu = message.includes(`Insufficient ${gpuResource}`);
        const reason = lacksGpu ? gpuReason(message, clusterGpus) : message;
        return [{ role, kind: lacksGpu ? 'gpu' : 'unschedulable', count: 1, reason }];
      }
      if (unscheduled?.reason === 'SchedulingGated')
        return [{ role, kind: 'queue', count: 1, reason: 'the queue has not admitted it yet' }];
      const waiting = pod.status?.containerStatuses?.map(({ state }) => state?.waiting).find(Boolean);
      const { reason: why, message } = waiting ?? {};
      if (!why) return [];
      const image = pod.spec?.containers[0].image ?? '';
      if (imageReasons.includes(why)) {
        const said =
          message ?? newest(events.filter((event) => isAbout(event, pod) && event.reason === 'Failed'))?.message;
        return [{ role, kind: 'image', count: 1, reason: oneLine(`${image} cannot be pulled: ${said ?? why}`) }];
      }
      if (startReasons.includes(why)) return [{ role, kind: 'start', count: 1, reason: oneLine(message ?? why) }];
      return [];
    });
}

function gpuReason(message: string, clusterGpus: number | undefined): string {
  if (clusterGpus === 0) return `the cluster has no ${gpuResource}`;
  return clusterGpus === undefined ? message : `the cluster’s ${clusterGpus} ${gpuResource} are taken (${message})`;
}

const isAbout = (event: CoreV1Event, object: V1Job | V1Pod): boolean =>
  event.involvedObject.uid !== undefined && event.involvedObject.uid === object.metadata?.uid;

const timeOf = ({ lastTimestamp, eventTime, metadata }: CoreV1Event): number =>
  Number(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? 0);

const newest = (events: CoreV1Event[]): CoreV1Event | undefined => events.sort((a, b) => timeOf(a) - timeOf(b)).at(-1);

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

/** A problem as text. */
export function describeProblem({ role, kind, count, reason }: Problem): string {
  const name = role === 'prepare' ? 'pod' : role;
  if (kind === 'failed') return `the ${name} has failed: ${reason}`;
  if (kind === 'memory') return `${count === 1 ? `1 ${name} was` : `${count} ${name}s were`} killed: ${reason}`;
  const pods = count === 1 ? `1 ${name} waits` : `${count} ${name}s wait`;
  return `${pods}: ${reason}`;
}
