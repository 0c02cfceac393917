import type { Effect, EventOf, Step } from './board-events.js';
import {
  counted,
  findLease,
  leasesAWorker,
  minimumWorkers,
  wholeLeaseMs,
  withTask,
  type BoardState,
} from './board-state.js';
import { plan, type Decision } from './plan.js';
import { usualMs, withTime } from './usual-time.js';
import { left } from './worker-transitions.js';

/*
 * What events of leases do to the board. A task has one valid token, or two while its worker is slow; the first answer
 * ends the other.
 */

type Grant = Extract<Decision, { type: 'grant' }>;

/** Do what `plan` decides. After a drop it must decide again, with the worker's tasks open. */
export function planned(before: BoardState, nowMs: number): Step<never> {
  const { rules, seats } = before;
  let state = { ...before, hasStarted: before.hasStarted || seats.size >= rules.minimumToStart };
  const decisions = plan(nowMs, seats.values(), state.tasks.values(), {
    silenceMs: rules.silenceMs,
    stragglerFactor: rules.stragglerFactor,
    leasesAWorker,
    minimumWorkers: minimumWorkers(state),
    usualMs: (kind) => usualMs(state.usual, kind),
  });
  const drop = decisions.find((decision) => decision.type === 'drop');
  if (drop) return left(state, { type: 'left', worker: drop.worker, reason: drop.reason, isSilent: true });
  const grants = decisions.filter((decision) => decision.type === 'grant');
  if (grants.length === 0) return { state, effects: [] };
  let { tasks, granted } = state;
  const effects: Effect<never>[] = [];
  for (const { task: key, worker, because } of grants) {
    const task = tasks.get(key);
    if (!task) continue;
    state = counted(state, 'granted', ...reasonsCounted(because, task.granted.length));
    const token = { term: rules.term, number: state.counts.granted };
    const lease = { token, worker, grantedMs: nowMs, deadlineMs: nowMs + wholeLeaseMs(rules) };
    tasks = tasks.with(key, { ...task, granted: [...task.granted, token.number], leases: [...task.leases, lease] });
    granted = granted.with(token.number, key);
    effects.push({ type: 'grant', task: key, worker, token, because });
  }
  return { state: { ...state, tasks, granted }, effects };
}

function reasonsCounted(because: Grant['because'], earlierGrants: number): ('straggling' | 'moved')[] {
  if (because === 'straggler') return ['straggling'];
  return earlierGrants > 0 ? ['moved'] : [];
}

/** Progress renews the lease; late reports, and those of another worker, are ignored. */
export function progressed<Result>(
  state: BoardState,
  { worker, token, soFar }: EventOf<'progressed', Result>,
  nowMs: number,
): Step<Result> {
  const { task, lease } = findLease(state, token) ?? {};
  if (!task?.hasProgress || lease?.worker !== worker || task.isReady) return { state, effects: [] };
  const renewed = { ...lease, deadlineMs: nowMs + wholeLeaseMs(state.rules) };
  const leases = task.leases.map((other) => (other === lease ? renewed : other));
  return {
    state: withTask(state, task.key, { leases }),
    effects: [{ type: 'tell-progress', task: task.key, soFar }],
  };
}

/** The first answer under a valid token counts; any other is refused. */
export function answered<Result>(
  state: BoardState,
  { worker, token, result }: EventOf<'answered', Result>,
  nowMs: number,
): Step<Result> {
  const { task, lease } = findLease(state, token) ?? {};
  if (!task || lease?.worker !== worker || task.isReady) {
    const effects = [{ type: 'log-refused', worker, token } as const, { type: 'end', worker, token } as const];
    return { state: counted(state, 'refused'), effects };
  }
  const { key, kind } = task;
  const usual = kind === undefined ? state.usual : withTime(state.usual, kind, nowMs - lease.grantedMs);
  const others = task.leases.filter((other) => other !== lease);
  return {
    state: withTask({ ...state, usual }, key, { leases: [lease], isReady: true }),
    effects: [
      ...others.map((other) => ({ type: 'end', worker: other.worker, token: other.token }) as const),
      { type: 'deliver', task: key, worker, token, result },
      { type: 'plan' },
    ],
  };
}

/** The task is open again. Does nothing if the lease has ended. */
export function rejected(
  state: BoardState,
  { token, reason, pauseMs }: EventOf<'rejected'>,
  nowMs: number,
): Step<never> {
  const { task, lease } = findLease(state, token) ?? {};
  if (!task || !lease) return { state, effects: [] };
  const { key, isReady } = task;
  const { worker } = lease;
  const leases = task.leases.filter((other) => other !== lease);
  const failedWorkers = new Map(task.failedWorkers).set(worker, nowMs + pauseMs);
  return {
    state: withTask(counted(state, 'rejected'), key, { leases, failedWorkers, isReady: false }),
    effects: [
      { type: 'log-rejected', task: key, worker, reason },
      { type: 'end', worker, token: lease.token },
      ...(isReady ? [{ type: 'discard', task: key } as const] : []),
      { type: 'plan' },
    ],
  };
}
