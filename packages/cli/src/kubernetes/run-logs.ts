import { setTimeout as delay } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
import type { ClusterApi } from './cluster-api.js';
import { indexOf, roleOf } from './labels.js';
import { noRun } from './operate.js';
import { describeProblem, problemsOf } from './problems.js';
import { isPreparation, runStatusOf, type PartName } from './run-status.js';

export interface LogsOptions {
  /** Default: the coordinator, or a preparation's only pod. */
  role?: PartName;
  /** A worker's index; default: all workers. */
  index?: number;
  /** Follow the pods, and those that replace them, until the run ends. */
  follow: boolean;
  /** Lines from the end of each pod's log; default: all. */
  tail?: number;
  /** Gets each line; `pod` names its pod, for when there are several. */
  onLine: (line: string, pod: string) => void;
  signal: AbortSignal;
}

const pollMs = 1_000;

/** How far a pod's log has been read. */
interface Reading {
  /** The time of its last line, as the API server wrote it. */
  lastTime?: string;
  open?: Promise<void>;
  /** Ends a stream that is followed. */
  cut?: AbortController;
  /** Read to the end of what an ended container has written. */
  complete: boolean;
}

/**
 * Read the logs of a run's pods. Throws `not-found` for a run, a role or an index that does not exist, `unavailable` if no pod
 * has started.
 */
export async function readLogs(api: ClusterApi, run: string, options: LogsOptions): Promise<void> {
  const closing = new AbortController();
  const signal = AbortSignal.any([options.signal, closing.signal]);
  try {
    await readPods(api, run, { ...options, signal });
  } finally {
    closing.abort();
  }
}

async function readPods(api: ClusterApi, run: string, options: LogsOptions): Promise<void> {
  const { index, follow, signal } = options;
  const readings = new Map<string, Reading>();
  let failure: Error | undefined;
  for (;;) {
    const objects = await api.objects(run);
    if (objects.jobs.length === 0) throw await noRun(api, run);
    const { state, roles } = runStatusOf(run, objects);
    const role = options.role ?? (isPreparation({ roles }) ? 'prepare' : 'coordinator');
    const asked = { role, index };
    const pods = objects.pods.filter((pod) => roleOf(pod) === role && (index === undefined || indexOf(pod) === index));
    checkIndex(run, asked, roles.find((one) => one.role === role)?.wanted);
    const begun = pods.filter(hasBegun);
    if (!follow && begun.length === 0) {
      const problems = problemsOf(objects).filter((one) => one.role === role);
      throw notBegun(run, asked, problems.map(describeProblem));
    }
    const isLast = !follow || state === 'finished' || state === 'failed';
    for (const pod of begun) {
      const uid = pod.metadata?.uid as string;
      const reading = readings.get(uid) ?? { complete: false };
      readings.set(uid, reading);
      // Its stream ends now, unless the connection hangs.
      if (hasEnded(pod)) {
        reading.cut?.abort();
        await reading.open;
      }
      if (reading.open || reading.complete) continue;
      reading.open = readPod(api, pod, reading, options)
        .catch((error: Error) => {
          if (!follow || !isPassing(error, isLast)) failure ??= error;
        })
        .finally(() => (reading.open = undefined));
    }
    if (!follow) await Promise.all([...readings.values()].flatMap(({ open }) => open ?? []));
    signal.throwIfAborted();
    if (failure) throw failure;
    // Those that ended while they were followed are read once more, to their ends.
    if (isLast && begun.every(({ metadata }) => readings.get(metadata?.uid as string)?.complete)) return;
    await delay(pollMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** A pod that has just gone, or a connection that broke while the run continues: its log is reopened if the pod still exists. */
function isPassing(error: Error, isLast: boolean): boolean {
  if (!(error instanceof FourfoldError)) return !isLast;
  return error.code === 'not-found' || (error.code === 'unavailable' && !isLast);
}

/** Whose log was asked for. */
interface Asked {
  role: PartName;
  index?: number;
}

function checkIndex(run: string, { role, index }: Asked, wanted: number | undefined): void {
  if (wanted === undefined) {
    throw new FourfoldError('not-found', `run ${run} has no ${role}`, {
      ...(role === 'data-loader' && { hint: 'its workers read the shards themselves' }),
    });
  }
  if (index === undefined) return;
  if (role !== 'worker') throw new FourfoldError('invalid', `${role}s have no index`, { hint: 'omit --index' });
  if (index >= wanted) {
    throw new FourfoldError('not-found', `run ${run} has no worker ${index}`, {
      hint: wanted === 1 ? 'its only worker is 0' : `its workers are 0 to ${wanted - 1}`,
    });
  }
}

function notBegun(run: string, { role, index }: Asked, problems: string[]): FourfoldError {
  const what = index === undefined ? `the ${role} of run ${run}` : `${role} ${index} of run ${run}`;
  const reason = problems.length > 0 ? problems.join('; ') : 'it is still starting';
  return new FourfoldError('unavailable', `${what} has no log yet: ${reason}`, { hint: '--follow waits for it' });
}

const hasBegun = ({ status }: V1Pod): boolean =>
  status?.containerStatuses?.some(({ state }) => state?.running !== undefined || state?.terminated !== undefined) ??
  false;

const hasEnded = ({ status }: V1Pod): boolean =>
  status?.containerStatuses?.every(({ state }) => state?.terminated !== undefined) ?? false;

/** Read what a pod has written since the last read, and if it is followed also what it writes from now on. */
async function readPod(api: ClusterApi, pod: V1Pod, reading: Reading, options: LogsOptions): Promise<void> {
  const { tail, onLine } = options;
  const name = pod.metadata?.name as string;
  const { lastTime } = reading;
  const follow = options.follow && !hasEnded(pod);
  const from = lastTime !== undefined ? { sinceTime: lastTime } : tail !== undefined ? { tailLines: tail } : {};
  const take = (line: string) => {
    // A line without a time is the kubelet's own, such as why there is no log.
    const [, time, text] = /^(\d{4}-\S+) (.*)$/s.exec(line) ?? [undefined, undefined, line];
    // The kubelet starts at the beginning of a second.
    if (time !== undefined && lastTime !== undefined && time <= lastTime) return;
    reading.lastTime = time ?? reading.lastTime;
    onLine(text, name);
  };
  const cut = new AbortController();
  reading.cut = follow ? cut : undefined;
  let rest = '';
  const log = await api.openLog(
    pod,
    { ...from, follow, timestamps: true },
    AbortSignal.any([options.signal, cut.signal]),
  );
  try {
    for await (const chunk of log.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() as string;
      lines.forEach(take);
    }
  } catch (error) {
    if (!cut.signal.aborted) throw error;
  }
  // A followed stream that was cut may end mid-line: the whole line is read after reopening.
  if (follow) return;
  if (rest !== '') take(rest);
  reading.complete = true;
}
