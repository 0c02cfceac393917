import { neighboursOf, withBlocks, type Neighbours } from './blocks.js';

/*
 * Decides which worker computes what: a pure function of (now, workers, tasks). `planned` in lease-transitions.ts
 * applies the decisions.
 */

export interface WorkerView {
  id: number;
  /** When it was last heard of. */
  lastSeenMs: number;
  /** Workers of one host get neighbouring tasks. */
  host?: string;
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
  /** Of tasks that are spread in blocks, 0 <= place < 1: neighbours go to one worker. It decides before `preferredWorker`. */
  place?: number;
  /** It is not granted before this time. */
  restsUntilMs?: number;
  /** Workers that have failed at it, and when each may try again. */
  failedWorkers: ReadonlyMap<number, number>;
  /** Tasks of a kind take about as long. */
  kind?: string;
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
  /** How long tasks of a kind usually take from their grant; undefined while that is unknown. */
  usualMs: (kind: string) => number | undefined;
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
 * preferred worker, up to that worker's fair share, else to the worker with the fewest leases. Of tasks that are spread in blocks that is
 * the block's worker, and else an idle one that holds a neighbour of the task, so that each worker's tasks stay in one piece. A worker that
 * failed at a task gets it again only when every worker has failed, and after a pause. A resting worker gets nothing while
 * another is free; a resting task goes to nobody. Workers that are still idle also compute stragglers' tasks.
 *
 * It runs at every answer, and usually finds nothing to grant: then it has looked once at each task and worker.
 */
export function plan(nowMs: number, workers: WorkerView[], tasks: TaskView[], options: PlanOptions): Decision[] {
  const drops = dropsOf(nowMs, workers, tasks, options);
  const dropped = new Set(drops.map(({ worker }) => worker));
  const aliveCount = workers.length - dropped.size;
  if (aliveCount === 0 || aliveCount < options.minimumWorkers) return drops;

  const isComputed = ({ leases }: TaskView): boolean =>
    leases.length > 0 && (dropped.size === 0 || leases.some(({ worker }) => !dropped.has(worker)));
  const open = tasks.filter((task) => !isComputed(task) && !isResting(nowMs, task));
  const stragglers = stragglersOf(nowMs, tasks, dropped, options);
  if (open.length === 0 && stragglers.length === 0) return drops;

  const alive = workers.filter(({ id }) => !dropped.has(id));
  const awake = alive.filter(({ restsUntilMs = -Infinity }) => restsUntilMs <= nowMs);
  const load = new Map((awake.length > 0 ? awake : alive).map(({ id }) => [id, 0]));
  for (const task of tasks) {
    if (task.isReady) continue;
    for (const { worker } of task.leases) addTo(load, worker);
  }
  const fairShare = Math.min(options.leasesAWorker, Math.ceil(tasks.length / aliveCount));
  return [
    ...drops,
    ...grantsOfOpen(
      nowMs,
      withBlocks(open, alive, (id) => load.has(id)),
      load,
      { fairShare, most: options.leasesAWorker, neighbours: neighboursOf(tasks) },
    ),
    ...grantsOfStragglers(stragglers, load),
  ];
}

type Drop = Extract<Decision, { type: 'drop' }>;
type Grant = Extract<Decision, { type: 'grant' }>;
/** By worker that may get something: its leases. Grants add to it. */
type Load = Map<number, number>;

const isResting = (nowMs: number, { restsUntilMs = -Infinity }: TaskView): boolean => restsUntilMs > nowMs;

function dropsOf(nowMs: number, workers: WorkerView[], tasks: TaskView[], { silenceMs }: PlanOptions): Drop[] {
  const lateTask = new Map<number, string>();
  for (const { key, isReady, leases } of tasks) {
    if (isReady) continue;
    for (const { worker, deadlineMs } of leases) {
      if (nowMs > deadlineMs && !lateTask.has(worker)) lateTask.set(worker, key);
    }
  }
  const drops: Drop[] = [];
  for (const { id, lastSeenMs } of workers) {
    const silentMs = nowMs - lastSeenMs;
    const late = lateTask.get(id);
    if (silentMs > silenceMs) drops.push({ type: 'drop', worker: id, reason: `silent for ${Math.round(silentMs)} ms` });
    else if (late !== undefined) drops.push({ type: 'drop', worker: id, reason: `its lease of ${late} ran out` });
  }
  return drops;
}

function grantsOfOpen(
  nowMs: number,
  open: readonly TaskView[],
  load: Load,
  { fairShare, most, neighbours }: { fairShare: number; most: number; neighbours: Neighbours },
): Grant[] {
  const grants: Grant[] = [];
  const grant = (task: TaskView, worker: number) => {
    grants.push({ type: 'grant', task: task.key, worker, because: 'open' });
    addTo(load, worker);
    neighbours.granted(task.key, worker);
  };
  /** Of tasks in blocks: the idle worker whose block stays whole with this one. */
  const helper = ({ key }: TaskView) => neighbours.of(key).find((id) => load.get(id) === 0);
  const others = [...open]
    .sort((a, b) => a.priority - b.priority)
    .filter((task) => {
      const preferred = task.preferredWorker;
      const isGood = preferred !== undefined && !task.failedWorkers.has(preferred);
      const takes = isGood && (load.get(preferred) ?? Infinity) < fairShare;
      if (takes) grant(task, preferred);
      return !takes;
    });
  for (const task of others) {
    const isInBlock = task.place !== undefined && task.failedWorkers.size === 0;
    const worker = isInBlock ? helper(task) : leastLoaded(nowMs, task, load);
    if (worker === undefined) continue;
    if ((load.get(worker) ?? most) < most) grant(task, worker);
    // All workers have as much as they may.
    else if (task.failedWorkers.size === 0) break;
  }
  return grants;
}

/** The worker with the fewest leases, of those that have not failed at the task, else of those that may try it again. */
function leastLoaded(nowMs: number, { failedWorkers }: TaskView, load: Load): number | undefined {
  const least: Record<'untried' | 'again', { worker?: number; leases: number }> = {
    untried: { leases: Infinity },
    again: { leases: Infinity },
  };
  for (const [worker, leases] of load) {
    const againMs = failedWorkers.get(worker);
    if (againMs !== undefined && againMs > nowMs) continue;
    const of = againMs === undefined ? least.untried : least.again;
    if (leases < of.leases) Object.assign(of, { worker, leases });
  }
  return least.untried.worker ?? least.again.worker;
}

/** Tasks that one worker computes and takes too long for, the slowest first. */
function stragglersOf(
  nowMs: number,
  tasks: TaskView[],
  dropped: ReadonlySet<number>,
  options: PlanOptions,
): TaskView[] {
  const isLate = lateness(nowMs, options);
  const isAlone = ({ leases }: TaskView) => leases.filter(({ worker }) => !dropped.has(worker)).length === 1;
  if (options.stragglerFactor === 0) return [];
  return tasks
    .filter((task) => !task.isReady && isLate(task) && isAlone(task) && !isResting(nowMs, task))
    .sort((a, b) => a.leases[0].grantedMs - b.leases[0].grantedMs);
}

function grantsOfStragglers(stragglers: TaskView[], load: Load): Grant[] {
  const idle = new Set<number>();
  for (const [worker, leases] of load) if (leases === 0) idle.add(worker);
  return stragglers.flatMap(({ key, failedWorkers }): Grant[] => {
    const worker = [...idle].find((id) => !failedWorkers.has(id));
    if (worker === undefined) return [];
    idle.delete(worker);
    return [{ type: 'grant', task: key, worker, because: 'straggler' }];
  });
}

/** Tells whether a task takes too long. Usual times are looked up once for each kind. */
function lateness(nowMs: number, { usualMs, stragglerFactor }: PlanOptions): (task: TaskView) => boolean {
  const usual = new Map<string, number | undefined>();
  return ({ kind, leases }) => {
    if (kind === undefined || leases.length === 0) return false;
    if (!usual.has(kind)) usual.set(kind, usualMs(kind));
    const ms = usual.get(kind);
    return ms !== undefined && nowMs - leases[0].grantedMs > stragglerFactor * ms;
  };
}

function addTo(load: Load, worker: number): void {
  const leases = load.get(worker);
  if (leases !== undefined) load.set(worker, leases + 1);
}
