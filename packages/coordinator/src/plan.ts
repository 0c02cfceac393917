/*
 * Who computes what: a pure function of (now, workers, tasks). The effects of its decisions are in leases.ts.
 */

export interface WorkerView {
  id: number;
  /** When something was last heard of it. */
  lastSeenMs: number;
}

export interface TaskView {
  /** Identifies the task among those of its time. */
  key: string;
  /** Lower goes first. */
  priority: number;
  /** `open`: nobody works on it. `leased`: its worker computes. `ready`: its worker holds the result. `done`: it has been taken over. */
  status: 'open' | 'leased' | 'ready' | 'done';
  /** Who holds its lease. */
  worker?: number;
  /** When a `leased` task's lease runs out. */
  deadlineMs?: number;
  /** Who most likely has something of it in its cache. */
  preferredWorker?: number;
}

export interface PlanOptions {
  /** Silence after which a worker counts as lost. */
  silenceMs: number;
  /** Leases that a worker computes or waits to compute at once, so that it need not wait for the next one. */
  leasesAWorker: number;
}

export type Decision =
  { type: 'drop'; worker: number; reason: string } | { type: 'grant'; task: string; worker: number };

/**
 * Drop workers that are silent or whose lease ran out; give open tasks to the others: first to the worker that prefers
 * them, up to its fair share, then to whoever has the fewest. A dropped worker's tasks are open again.
 */
export function plan(nowMs: number, workers: WorkerView[], tasks: TaskView[], options: PlanOptions): Decision[] {
  const drops = workers.flatMap((worker): Decision[] => {
    const reason = reasonToDrop(nowMs, worker, tasks, options);
    return reason ? [{ type: 'drop', worker: worker.id, reason }] : [];
  });
  const alive = workers.filter(({ id }) => !drops.some((drop) => drop.worker === id));
  if (alive.length === 0) return drops;

  const load = new Map(alive.map(({ id }) => [id, 0]));
  const held = (task: TaskView) => task.status !== 'open' && task.worker !== undefined && load.has(task.worker);
  for (const task of tasks) {
    if (task.status === 'leased' && held(task))
      load.set(task.worker as number, (load.get(task.worker as number) ?? 0) + 1);
  }
  const open = tasks
    .filter((task) => task.status === 'open' || (task.status !== 'done' && !held(task)))
    .sort((a, b) => a.priority - b.priority);
  const grants: Decision[] = [];
  const grant = (task: TaskView, worker: number) => {
    grants.push({ type: 'grant', task: task.key, worker });
    load.set(worker, (load.get(worker) ?? 0) + 1);
  };

  const fairShare = Math.min(options.leasesAWorker, Math.ceil(tasks.length / alive.length));
  const others = open.filter((task) => {
    const preferred = task.preferredWorker;
    const takes = preferred !== undefined && (load.get(preferred) ?? Infinity) < fairShare;
    if (takes) grant(task, preferred);
    return !takes;
  });
  for (const task of others) {
    const [worker, leases] = [...load].reduce((least, entry) => (entry[1] < least[1] ? entry : least));
    if (leases >= options.leasesAWorker) break;
    grant(task, worker);
  }
  return [...drops, ...grants];
}

function reasonToDrop(nowMs: number, worker: WorkerView, tasks: TaskView[], options: PlanOptions): string | undefined {
  const silentMs = nowMs - worker.lastSeenMs;
  if (silentMs > options.silenceMs) return `silent for ${Math.round(silentMs)} ms`;
  const late = tasks.find(
    (task) => task.status === 'leased' && task.worker === worker.id && nowMs > (task.deadlineMs ?? Infinity),
  );
  return late && `its lease of ${late.key} ran out`;
}
