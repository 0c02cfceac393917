import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
import { indexOf, roleOf, type ClusterApi } from './cluster-api.js';
import { noRun } from './operate.js';
import type { Role } from './manifests.js';
import { describeProblem, problemsOf } from './problems.js';
import { runStatusOf } from './run-status.js';

export interface LogsOptions {
  role: Role;
  /** A worker's; all of them without it. */
  index?: number;
  /** Go on as the pods write, and with those that replace them, until the run ends. */
  follow: boolean;
  /** Lines from the end of each pod's log; all without it. */
  tail?: number;
  /** Gets each line; `pod` says whose, where there are several. */
  onLine: (line: string, pod: string) => void;
  signal: AbortSignal;
}

const pollMs = 1_000;

/** Read the logs of a run's pods. Throws `not-found` for a run, a role or an index that is not there, `unavailable` where none has begun. */
export async function readLogs(api: ClusterApi, run: string, options: LogsOptions): Promise<void> {
  const { role, index, follow, signal } = options;
  const read = new Set<string>();
  const open = new Set<Promise<void>>();
  for (;;) {
    const objects = await api.objects(run);
    if (objects.jobs.length === 0) throw await noRun(api, run);
    const pods = objects.pods.filter((pod) => roleOf(pod) === role && (index === undefined || indexOf(pod) === index));
    const { state, roles } = runStatusOf(run, objects);
    checkIndex(run, options, roles.find((one) => one.role === role)?.wanted);
    const begun = pods.filter(hasBegun);
    for (const pod of begun.filter(({ metadata }) => !read.has(metadata?.uid as string))) {
      read.add(pod.metadata?.uid as string);
      const reading = readPod(api, pod, options).finally(() => open.delete(reading));
      open.add(reading);
    }
    if (!follow) {
      if (begun.length === 0)
        throw notBegun(
          run,
          options,
          problemsOf(objects)
            .filter((one) => one.role === role)
            .map(describeProblem),
        );
      return void (await Promise.all(open));
    }
    if (state === 'finished' || state === 'failed') return void (await Promise.all(open));
    await delay(pollMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function checkIndex(run: string, { role, index }: LogsOptions, wanted: number | undefined): void {
  if (wanted === undefined) {
    throw new FourfoldError('not-found', `run ${run} has no ${role}`, {
      mend: 'its workers read the shards themselves',
    });
  }
  if (index === undefined) return;
  if (role !== 'worker') throw new FourfoldError('invalid', `${role}s have no index`, { mend: 'leave --index out' });
  if (index >= wanted) {
    throw new FourfoldError('not-found', `run ${run} has no worker ${index}`, { mend: `they are 0 to ${wanted - 1}` });
  }
}

function notBegun(run: string, { role, index }: LogsOptions, problems: string[]): FourfoldError {
  const what = index === undefined ? `the ${role} of run ${run}` : `${role} ${index} of run ${run}`;
  const reason = problems.length > 0 ? problems.join('; ') : 'it is still being started';
  return new FourfoldError('unavailable', `${what} has no log yet: ${reason}`, { mend: '--follow waits for it' });
}

const hasBegun = ({ status }: V1Pod): boolean =>
  status?.containerStatuses?.some(({ state }) => state?.running !== undefined || state?.terminated !== undefined) ??
  false;

async function readPod(api: ClusterApi, pod: V1Pod, { follow, tail, onLine, signal }: LogsOptions): Promise<void> {
  const { name = '', namespace = '' } = pod.metadata ?? {};
  const text = new PassThrough();
  const lines = createInterface({ input: text });
  lines.on('line', (line) => onLine(line, name));
  const done = new Promise<void>((resolve) => lines.once('close', resolve));
  const container = pod.spec?.containers[0].name ?? '';
  const controller = await api.logs.log(namespace, name, container, text, {
    follow,
    ...(tail !== undefined && { tailLines: tail }),
  });
  const stop = () => {
    controller.abort();
    text.end();
  };
  signal.addEventListener('abort', stop, { once: true });
  await done.finally(() => signal.removeEventListener('abort', stop));
}
