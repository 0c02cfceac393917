import type { WriteStream } from 'node:fs';
import type { Role } from '@fourfold/common';
import { createCoordinatorClient, readRpcSecurity, type RpcSecurity, type RunStatus__Output } from '@fourfold/rpc';
import { createKeeper, type PartPlan } from './keeper.js';
import type { ProgressLine } from './progress-line.js';

/** How long the other parts may take to stop. */
const helperStopMs = 60_000;

/** A part besides the coordinator. */
export interface Helper {
  role: Exclude<Role, 'coordinator'>;
  /** Its name in messages. */
  name: string;
  /** Its arguments besides those of all parts. */
  args: string[];
}

export interface LocalRun {
  /** Arguments that every part gets: the config and its overrides. */
  configArgs: string[];
  /** On every part's standard input: the config, if its path is `-`. */
  input?: string;
  /** What only the coordinator gets. */
  coordinatorArgs?: string[];
  helpers: Helper[];
  /** The environment of a part of that role, on top of this process's; `local` is this process itself. */
  environment: (role: Role | 'local') => Record<string, string>;
  resume: boolean;
  /** host:port of the status page; without it there is none. */
  http?: string;
  logFile: WriteStream;
  line: ProgressLine;
  /** A part has been started or restarted. */
  onStarted?: (part: { role: Role; name: string }, pid: number) => void;
  /** The coordinator listens, for the first time or again; `page` is its status page (host:port). */
  onListening?: (page?: string) => void;
  /** How long the coordinator may take to write a checkpoint and stop. */
  stopMs: number;
  /** Aborted to stop early. */
  signal: AbortSignal;
}

/**
 * Run coordinator, workers and data-loaders as child processes, until the run ends. A part that is killed is restarted, the
 * coordinator from its newest checkpoint; one that fails repeatedly while none of its role does better ends the run with its
 * reason. Rejects with the signal's reason after an early stop, once the coordinator has written its checkpoint.
 */
export async function superviseLocally(run: LocalRun): Promise<void> {
  const { configArgs, input, helpers, environment, logFile, line, onStarted, stopMs, signal } = run;
  const keeper = createKeeper({ logFile, note: line.note, onStarted, signal });
  const stopCoordinator = () => keeper.stop(stopMs, 'coordinator');
  signal.addEventListener('abort', stopCoordinator, { once: true });
  try {
    const { plan, close } = coordinatorPlan(run, keeper.progressed);
    const coordinator = keeper.keep(plan).finally(close);
    const others = helpers.map(({ role, name, args }) =>
      keeper.keep({ role, name, args: () => [...configArgs, ...args], environment: environment(role), input }),
    );
    // A part that fails for good ends the run, although the coordinator would wait for another.
    const failure = Promise.all(others).then(() => new Promise<never>(() => undefined));
    failure.catch(() => undefined);
    await Promise.race([coordinator, failure]);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', stopCoordinator);
    await keeper.end(Math.min(stopMs, helperStopMs));
  }
}

/** A coordinator that keeps its ports over restarts, and resumes from its newest checkpoint; `close` stops watching it. */
function coordinatorPlan(run: LocalRun, progressed: () => void): { plan: PartPlan; close: () => void } {
  const { configArgs, input, coordinatorArgs = [], environment, line, onListening } = run;
  const security = readRpcSecurity({ ...process.env, ...environment('local') });
  let address = '127.0.0.1:0';
  let page = run.http;
  let starts = 0;
  let watch: { cancel(): void } | undefined;
  const plan: PartPlan = {
    role: 'coordinator',
    name: 'coordinator',
    environment: environment('coordinator'),
    input,
    args() {
      watch?.cancel();
      const resume = starts++ > 0 || run.resume;
      return [
        ...configArgs,
        ...['--listen', address],
        ...(page ? ['--http', page] : []),
        ...coordinatorArgs,
        ...(resume ? ['--resume'] : []),
      ];
    },
    onLog(log) {
      if (log.event === 'http') page = String(log['address']);
      if (log.event !== 'listening') return;
      address = String(log['address']);
      watch = watchRun(address, security, {
        onStatus: (status) => line.show(status),
        onIteration: progressed,
      });
      onListening?.(page);
    },
  };
  return { plan, close: () => watch?.cancel() };
}

function watchRun(
  address: string,
  security: RpcSecurity,
  { onStatus, onIteration }: { onStatus: (status: RunStatus__Output) => void; onIteration: () => void },
): { cancel(): void } {
  const client = createCoordinatorClient(address, 'control', security);
  const call = client.Watch({});
  let iteration: number | undefined;
  call.on('data', (status: RunStatus__Output) => {
    // A coordinator's first status and its waiting are not progress.
    if (iteration !== undefined && status.iteration > iteration) onIteration();
    if (status.iteration !== iteration || status.state !== 'training') onStatus(status);
    iteration = status.iteration;
  });
  // The coordinator's exit is what counts.
  call.on('error', () => client.close());
  return { cancel: () => call.cancel() };
}
