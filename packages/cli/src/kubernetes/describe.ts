import { describeStatus as describeTraining } from '../train/status-line.js';
import { formatDuration, formatTable } from '../terminal/table.js';
import type { RunStatus } from './run-status.js';

const since = (iso: string | undefined): string => (iso ? formatDuration(Date.now() - Date.parse(iso)) : '');

/** A run's status as text: a line about the run, one about the training, a table of its parts, and what keeps some from running. */
export function describeStatus(status: RunStatus): string {
  const { run, state, queue, submittedAt, roles, problems } = status;
  const about = [`${run}: ${state}`, queue && `queue ${queue}`, submittedAt && `submitted ${since(submittedAt)} ago`];
  const rows = roles.map(({ role, wanted, running, waiting, failed, done, workersPerPod }) => {
    const name = workersPerPod === undefined ? role : `pods of ${workersPerPod} workers`;
    return done
      ? [name, 'done', '', '', String(failed)]
      : [name, ...[running, wanted, waiting, failed].map((count) => String(count))];
  });
  const table = formatTable(
    [['', 'running', 'of', 'waiting', 'replaced'], ...rows],
    ['left', 'right', 'right', 'right', 'right'],
  );
  return [about.filter(Boolean).join(', '), ...trainingLine(status), table, ...problems].join('\n');
}

const trainingLine = ({ progress, training, trainingUnknown }: RunStatus): string[] => {
  if (progress !== undefined) return [progress];
  if (training) return [describeTraining(training)];
  return trainingUnknown === undefined ? [] : [`progress unknown: ${trainingUnknown}`];
};

/** A status after another one: only the training's progress if nothing else has changed. */
export function describeNext(status: RunStatus, before: RunStatus | undefined): string {
  const others = (of: RunStatus | undefined) => JSON.stringify({ ...of, training: undefined, progress: undefined });
  return others(status) === others(before) ? trainingLine(status).join('\n') : describeStatus(status);
}

/** A table of runs. */
export function describeRuns(runs: readonly RunStatus[]): string {
  const rows = runs.map(({ run, state, queue, submittedAt, roles }) => {
    const workers = roles.find(({ role }) => role === 'worker');
    const { running = 0, wanted = 0, workersPerPod = 1 } = workers ?? {};
    const count = !workers ? '' : workers.done ? 'done' : `${running * workersPerPod}/${wanted * workersPerPod}`;
    return [run, state, count, queue ?? '', since(submittedAt)];
  });
  return formatTable(
    [['run', 'state', 'workers', 'queue', 'age'], ...rows],
    ['left', 'left', 'right', 'left', 'right'],
  );
}

/** The progress of a start, on one line. */
export const describeStart = ({ state, roles }: RunStatus): string =>
  `${state}: ${roles.map(({ role, running, wanted, done }) => `${role} ${done ? 'done' : `${running}/${wanted}`}`).join(', ')}`;
