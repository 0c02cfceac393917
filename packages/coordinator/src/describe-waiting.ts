import type { TaskView } from './plan.js';

/** What keeps the tasks that nobody has answered yet, in words. */
export function describeWaiting(workers: number, minimumWorkers: number, tasks: readonly TaskView[]): string {
  if (workers < minimumWorkers) return `workers: ${workers} are there, ${minimumWorkers} are needed`;
  const unanswered = tasks.filter(({ isReady }) => !isReady);
  return unanswered.map(describeTask).join(', ') || 'gradients on their way';
}

function describeTask({ key, leases, restsUntilMs }: TaskView): string {
  if (leases.length > 0) return `${key} by worker ${leases.map(({ worker }) => worker).join(' and ')}`;
  const rests = restsUntilMs !== undefined && restsUntilMs > performance.now();
  return `${key} by nobody yet${rests ? ', after a pause, since it was lost again and again' : ''}`;
}
