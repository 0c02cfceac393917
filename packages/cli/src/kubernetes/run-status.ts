import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { TrainingStatus } from '../train/status-line.js';
import { roles, type Role } from '@fourfold/common';
import { labels } from './labels.js';
import { workersPerPod } from './share-pod.js';
import { describeProblem, problemsOf, type RunObjects } from './problems.js';

/** The parts of a run, or the only part of a dataset's preparation. */
export type PartName = Role | 'prepare';

export interface RoleStatus {
  role: PartName;
  /** Pods, as all counts here. */
  wanted: number;
  running: number;
  /** Created, but not running yet. */
  waiting: number;
  /** Pods that were lost and are replaced. */
  failed: number;
  done: boolean;
  /** Where several workers share a pod. */
  workersPerPod?: number;
}

export type RunState = 'queued' | 'starting' | 'running' | 'finished' | 'failed';

export interface RunStatus {
  run: string;
  state: RunState;
  queue?: string;
  /** ISO 8601. */
  submittedAt?: string;
  roles: RoleStatus[];
  /** Why something does not run, one line each. */
  problems: string[];
  /** How far a preparation is. */
  progress?: string;
  /** Where training stands; absent while no coordinator runs. */
  training?: TrainingStatus;
  /** Why that is unknown although one runs. */
  trainingUnknown?: string;
}

const partNames: readonly PartName[] = [...roles, 'prepare'];

/** Whether this is not a run, but the preparation of a dataset. */
export const isPreparation = ({ roles }: Pick<RunStatus, 'roles'>): boolean =>
  roles.some(({ role }) => role === 'prepare');

/** `run first`, `prepare-photos`. */
export const titleOf = (status: Pick<RunStatus, 'run' | 'roles'>): string =>
  isPreparation(status) ? status.run : `run ${status.run}`;

/** A run's status, from its objects. */
export function runStatusOf(run: string, objects: RunObjects): RunStatus {
  const { jobs, pods } = objects;
  const ofRole = <T extends V1Job | V1Pod>(items: readonly T[], role: PartName) =>
    items.filter(({ metadata }) => metadata?.labels?.[labels.role] === role);
  const found = partNames.flatMap((role): RoleStatus[] => {
    const [job] = ofRole(jobs, role);
    return job ? [roleStatus(role, job, ofRole(pods, role))] : [];
  });
  // The run is as far as this part is.
  const coordinator = [...ofRole(jobs, 'coordinator'), ...ofRole(jobs, 'prepare')].at(0);
  const metadata = coordinator?.metadata;
  const queue = metadata?.labels?.[labels.queue];
  return {
    run,
    state: stateOf(jobs, coordinator, found),
    ...(queue && { queue }),
    ...(metadata?.creationTimestamp && { submittedAt: new Date(metadata.creationTimestamp).toISOString() }),
    roles: found,
    problems: problemsOf(objects).map(describeProblem),
  };
}

const has = (job: V1Job | undefined, condition: string): boolean =>
  job?.status?.conditions?.some(({ type, status }) => type === condition && status === 'True') ?? false;

function roleStatus(role: PartName, job: V1Job, pods: V1Pod[]): RoleStatus {
  const alive = pods.filter(({ metadata }) => !metadata?.deletionTimestamp);
  const inPhase = (phase: string) => alive.filter(({ status }) => status?.phase === phase).length;
  return {
    role,
    wanted: job.spec?.parallelism ?? 1,
    running: inPhase('Running'),
    waiting: inPhase('Pending'),
    failed: job.status?.failed ?? 0,
    done: has(job, 'Complete'),
    ...(workersPerPod(job) > 1 && { workersPerPod: workersPerPod(job) }),
  };
}

function stateOf(jobs: readonly V1Job[], coordinator: V1Job | undefined, roles: readonly RoleStatus[]): RunState {
  if (has(coordinator, 'Complete')) return 'finished';
  if (jobs.some((job) => has(job, 'Failed'))) return 'failed';
  if (jobs.some(({ spec }) => spec?.suspend)) return 'queued';
  const runs = (name: PartName) => (roles.find(({ role }) => role === name)?.running ?? 0) > 0;
  return runs('prepare') || (runs('coordinator') && runs('worker')) ? 'running' : 'starting';
}
