/*
 * Decides which worker computes what: a pure function of (now, workers, tasks). `planned` in lease-transitions.ts
 * applies the decisions.
 */

export interface WorkerView {
  id: number;
  /** When it was last heard of. */
  lastSeenMs: number;
  /** Until then it gets nothing unless no other worker is free. */
  restsUntilMs?: number;
}

/** A worker's right to compute a task. */
export interface LeaseView {
  worker: number;
  grantedMs: number;
  deadlineMs: number;
}

export interface TaskView {
  /** Identifies the task among the current ones. */
  key: string;
  /** Lower goes first. */
  priority: number;
  /** Whether it has been answered: the worker of its only lease holds the result. */
  isReady: boolean;
  /** None if nobody works on it; two if its first worker is slow. */
  leases: readonly LeaseView[];
  /** The worker most likely to have some of it cached. */
  preferredWorker?: number;
  /** It is not granted before this time. */
  restsUntilMs?: number;
  /** Workers that have failed at it, and when each may try again. */
  failedWorkers: ReadonlyMap<number, number>;
  /** How long such a task usually takes from its grant; undefined if unknown or irrelevant. */
  usualMs?: number;
}

export interface PlanOptions {
  /** A worker that is silent for longer counts as lost. */
  silenceMs: number;
  /** Leases that a worker computes or waits to compute at once, so that it need not wait for the next one. */
  leasesAWorker: number;
  /** Nothing is granted to fewer workers. */
  minimumWorkers: number;
  /** How many times the usual time a lease may take before an idle worker also gets the task; 0 for no limit. */
  stragglerFactor: number;
}

export type GrantReason =
  /** Nobody had worked on it. */
  | 'open'
  /** Its worker is slow; the first answer counts. */
  | 'straggler';

export type Decision =
  | { type: 'drop'; worker: number; reason: string }
  | { type: 'grant'; task: string; worker: number; because: GrantReason };

/**
 * Drop workers that are silent or whose lease ran out; their tasks are open again. Grant each open task to its
 * preferred worker, up to that worker's fair share, else to the worker with the fewest leases. A worker that failed at
 * a task gets it again only when every worker has failed, and after a pause. A resting worker gets nothing while
 * another is free; a resting task goes to nobody. Workers that are still idle also compute stragglers' tasks.
 */
export function plan(nowMs: number, workers: WorkerView[], tasks: TaskView[], options: PlanOptions): Decision[] {
  const drops = workers.flatMap((worker): Decision[] => {
    const reason = reasonToDrop(nowMs, worker, tasks, options);
    return reason ? [{ type: 'drop', worker: worker.id, reason }] : [];
  });
  const alive = workers.filter(({ id }) => !drops.some((drop) => drop.worker === id));
  if (alive.length === 0 || alive.length < options.minimumWorkers) return drops;

  const living = (task: TaskView) => task.leases.filter(({ worker }) => alive.some(({ id }) => id === worker));
  const awake = alive.filter(({ restsUntilMs = -Infinity }) => restsUntilMs <= nowMs);
  const load = new Map((awake.length > 0 ? awake : alive).map(({ id }) => [id, 0]));
  for (const task of tasks) {
    if (task.isReady) continue;
    for (const { worker } of living(task)) if (load.has(worker)) load.set(worker, (load.get(worker) ?? 0) + 1);
  }
  const grants: Decision[] = [];
  const grant = (task: TaskView, worker: number, because: GrantReason) => {
    grants.push({ type: 'grant', task: task.key, worker, because });
    load.set(worker, (load.get(worker) ?? 0) + 1);
  };

  const awaited = tasks.filter(({ restsUntilMs = -Infinity }) => restsUntilMs <= nowMs);
  const open = awaited.filter((task) => living(task).length === 0).sort((a, b) => a.priority - b.priority);
  const fairShare = Math.min(options.leasesAWorker, Math.ceil(tasks.length / alive.length));
  const others = open.filter((task) => {
    const preferred = task.preferredWorker;
    const isGood = preferred !== undefined && !task.failedWorkers.has(preferred);
    const takes = isGood && (load.get(preferred) ?? Infinity) < fairShare;
    if (takes) grant(task, preferred, 'open');
    return !takes;
  });
  for (const task of others) {
    const untried = [...load].filter(([worker]) => !task.failedWorkers.has(worker));
    const able = untried.length > 0 ? untried : [...load].filter(([id]) => mayTryAgain(task, id, nowMs));
    if (able.length === 0) continue;
    const [worker, leases] = able.reduce((least, entry) => (entry[1] < least[1] ? entry : least));
    if (leases < options.leasesAWorker) grant(task, worker, 'open');
  }
  const stragglers = awaited
    .filter((task) => !task.isReady && living(task).length === 1 && isLate(nowMs, task, options))
    .sort((a, b) => a.leases[0].grantedMs - b.leases[0].grantedMs);
  for (const task of stragglers) {
    const idle = [...load].find(([worker, leases]) => leases === 0 && !task.failedWorkers.has(worker));
    if (idle) grant(task, idle[0], 'straggler');
  }
  return [...drops, ...grants];
}

const mayTryAgain = ({ failedWorkers }: TaskView, worker: number, nowMs: number): boolean =>
  (failedWorkers.get(worker) ?? 0) <= nowMs;

const isLate = (nowMs: number, { usualMs, leases }: TaskView, { stragglerFactor }: PlanOptions): boolean =>
  usualMs !== undefined && stragglerFactor > 0 && nowMs - leases[0].grantedMs > stragglerFactor * usualMs;

function reasonToDrop(nowMs: number, worker: WorkerView, tasks: TaskView[], options: PlanOptions): string | undefined {
  const silentMs = nowMs - worker.lastSeenMs;
  if (silentMs > options.silenceMs) return `silent for ${Math.round(silentMs)} ms`;
  const late = tasks.find(
    (task) => !task.isReady && task.leases.some((lease) => lease.worker === worker.id && nowMs > lease.deadlineMs),
  );
  return late && `its lease of ${late.key} ran out`;
}
