import type { TaskView } from './plan.js';

/** Describes what unanswered tasks wait for. */
export function describeWaiting(workers: number, minimumWorkers: number, tasks: readonly TaskView[]): string {
  if (workers < minimumWorkers) return `workers: ${workers} joined, ${minimumWorkers} needed`;
  const unanswered = tasks.filter(({ isReady }) => !isReady);
  return unanswered.map(describeTask).join(', ') || 'gradients in transit';
}

function describeTask({ key, leases, restsUntilMs }: TaskView): string {
  if (leases.length > 0) return `${key} by worker ${leases.map(({ worker }) => worker).join(' and ')}`;
  const rests = restsUntilMs !== undefined && restsUntilMs > performance.now();
  return `${key} by no worker yet${rests ? ', after a pause, since it was lost repeatedly' : ''}`;
}
