/*
 * Who computes what: a pure function of (now, workers, tasks). The effects of its decisions are in lease-board.ts.
 */

export interface WorkerView {
  id: number;
  /** When something was last heard of it. */
  lastSeenMs: number;
  /** It gets nothing before, unless nobody else is there. */
  restsUntilMs?: number;
}

/** A worker's right to compute a task. */
export interface LeaseView {
  worker: number;
  grantedMs: number;
  deadlineMs: number;
}

export interface TaskView {
  /** Identifies the task among those of its time. */
  key: string;
  /** Lower goes first. */
  priority: number;
  /** Whether the worker of its one lease holds the result. */
  isReady: boolean;
  /** None: nobody works on it. Two: its first worker is slow. */
  leases: readonly LeaseView[];
  /** Who most likely has something of it in its cache. */
  preferredWorker?: number;
  /** Nobody gets it before. */
  restsUntilMs?: number;
  /** Who has failed at it, and when each may try again. */
  failedWorkers: ReadonlyMap<number, number>;
  /** How long such a task usually takes from its grant on; undefined while that is not known, or does not matter. */
  usualMs?: number;
}

export interface PlanOptions {
  /** Silence after which a worker counts as lost. */
  silenceMs: number;
  /** Leases that a worker computes or waits to compute at once, so that it need not wait for the next one. */
  leasesAWorker: number;
  /** With fewer workers nothing is granted. */
  minimumWorkers: number;
  /** How many times as long as usual a lease may take before an idle worker gets the task, too; 0 for as long as it likes. */
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
 * Drop workers that are silent or whose lease ran out; give open tasks to the others: first to the worker that prefers
 * them, up to its fair share, then to whoever has the fewest. Who has failed at a task gets it again only when every worker
 * has, and after a pause. Who rests gets nothing while another is there; nobody gets a task that rests. What idle workers are left compute stragglers' tasks, too. A dropped worker's tasks are open again.
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
