import { minimumWorkers, type BoardState, type TaskState } from './board-state.js';

/** Describes what unanswered tasks wait for. */
export function describeWaiting(state: BoardState, nowMs: number): string {
  const { seats, tasks } = state;
  const least = minimumWorkers(state);
  if (seats.size < least) return `workers: ${seats.size} joined, ${least} needed`;
  const unanswered = tasks.values().filter(({ isReady }) => !isReady);
  return unanswered.map((task) => describeTask(task, nowMs)).join(', ') || 'gradients in transit';
}

function describeTask({ key, leases, restsUntilMs = -Infinity }: TaskState, nowMs: number): string {
  if (leases.length > 0) return `${key} by worker ${leases.map(({ worker }) => worker).join(' and ')}`;
  return `${key} by no worker yet${restsUntilMs > nowMs ? ', after a pause, since it was lost repeatedly' : ''}`;
}
