import { setTimeout as delay } from 'node:timers/promises';
import type { WriteStream } from 'node:fs';
import { credentials } from '@grpc/grpc-js';
import { FourfoldError, wire, type RunConfig, type RunStatus__Output } from '@fourfold/common';
import { startPart, type LogLine, type Part, type PartExit } from './child.js';
import type { ProgressLine } from './progress-line.js';

/** A part that dies this often without an iteration between is not started again. */
const maxDeathsInARow = 5;
const restartDelayMs = 500;
/** How long parts that were told to stop may take. */
const stopMs = 60_000;
const pinoWarn = 40;

type Role = 'coordinator' | 'worker';

export interface LocalRun {
  config: RunConfig;
  /** Arguments that every part gets: the config and its overrides. */
  configArgs: string[];
  resume: boolean;
  logFile: WriteStream;
  line: ProgressLine;
  /** Aborted to stop early. */
  signal: AbortSignal;
}

/**
 * Coordinator and workers as child processes, until the run ends. A part that is killed is started again, the coordinator
 * from its newest checkpoint; one that fails with a reason ends the run with it. Rejects with the signal's reason after an
 * early stop, once the coordinator has written its checkpoint.
 */
export async function superviseLocally({ config, configArgs, resume, logFile, line, signal }: LocalRun): Promise<void> {
  const parts = new Set<Part>();
  let deathsInARow = 0;
  let over = false;

  const start = (role: Role, args: string[], onLog: (log: LogLine) => void = () => undefined): Part => {
    const part = startPart(role, [...configArgs, ...args], logFile, (log) => {
      if (log.level >= pinoWarn) line.note(`${log.role}: ${log.msg}${log.reason ? ` (${log.reason})` : ''}`);
      onLog(log);
    });
    parts.add(part);
    part.exit.finally(() => parts.delete(part)).catch(() => undefined);
    return part;
  };

  /** Whether a part that ended this way is to be started again. Throws what it failed with. */
  const shallRestart = (role: Role, { code, signal: by, lastWords }: PartExit): boolean => {
    if (over || signal.aborted || code === 0) return false;
    const reason = lastWords || (by ? `it died by ${by}` : `it ended with code ${code}`);
    if (isFinal(role, code)) throw new FourfoldError(code === 2 ? 'invalid' : 'unavailable', reason);
    if (++deathsInARow > maxDeathsInARow) {
      throw new FourfoldError('unavailable', `the ${role} died ${deathsInARow} times in a row, last: ${reason}`, {
        mend: 'look at the run’s log; too little memory is a usual reason',
      });
    }
    line.note(`${role}: ${reason}; it is started again`);
    return true;
  };

  const keepCoordinator = async (): Promise<void> => {
    let address = '127.0.0.1:0';
    for (let again = resume; ; again = true) {
      let watch: { cancel(): void } | undefined;
      const part = start('coordinator', ['--listen', address, ...(again ? ['--resume'] : [])], (log) => {
        if (log.event !== 'listening') return;
        address = String(log['address']);
        watch = watchRun(address, (status) => {
          deathsInARow = 0;
          line.show(status);
        });
      });
      const exit = await part.exit;
      watch?.cancel();
      if (!shallRestart('coordinator', exit)) return;
      await delay(restartDelayMs);
    }
  };

  const keepWorker = async (): Promise<void> => {
    while (!over && shallRestart('worker', await start('worker', []).exit)) await delay(restartDelayMs);
  };

  const stopParts = (role?: Role, by: NodeJS.Signals = 'SIGTERM') => {
    for (const { process } of parts) if (!role || process.spawnargs.includes(role)) process.kill(by);
  };
  const stopCoordinator = () => stopParts('coordinator');
  signal.addEventListener('abort', stopCoordinator, { once: true });
  try {
    const workers = Array.from({ length: config.workers.count }, keepWorker);
    // A worker that fails for good ends the run, though the coordinator would wait for another.
    const failure = Promise.all(workers).then(() => new Promise<never>(() => undefined));
    failure.catch(() => undefined);
    await Promise.race([keepCoordinator(), failure]);
    signal.throwIfAborted();
  } finally {
    over = true;
    signal.removeEventListener('abort', stopCoordinator);
    stopParts();
    const cutOff = setTimeout(() => stopParts(undefined, 'SIGKILL'), stopMs);
    await Promise.allSettled([...parts].map(({ exit }) => exit));
    clearTimeout(cutOff);
  }
}

/**
 * A user's mistake ends the run, and so does whatever makes a coordinator give up. A worker that fails otherwise, or that
 * is stopped by somebody, is replaced.
 */
const isFinal = (role: Role, code: number | null): boolean => code !== null && (role === 'coordinator' || code === 2);

function watchRun(address: string, onStatus: (status: RunStatus__Output) => void): { cancel(): void } {
  const client = new wire.Coordinator(address, credentials.createInsecure());
  const call = client.Watch({});
  let iteration = -1;
  call.on('data', (status: RunStatus__Output) => {
    if (status.iteration !== iteration || status.state !== 'training') onStatus(status);
    iteration = status.iteration;
  });
  // The coordinator's exit is what counts.
  call.on('error', () => client.close());
  return { cancel: () => call.cancel() };
}
