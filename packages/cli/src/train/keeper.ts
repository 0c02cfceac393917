import { setTimeout as delay } from 'node:timers/promises';
import type { WriteStream } from 'node:fs';
import { FourfoldError } from '@fourfold/common';
import { startPart, type LogLine, type Part, type PartExit } from './child.js';

/** A part that dies this often without an iteration between is not started again. */
const maxDeathsInARow = 5;
const restartDelayMs = 500;
const pinoWarn = 40;

export type PartRole = 'coordinator' | 'worker' | 'data-loader';

/** A part that is to live as long as the run. */
export interface PartPlan {
  role: PartRole;
  /** What people call it. */
  name: string;
  /** Its arguments at its next start. */
  args: () => string[];
  /** On top of this process's environment. */
  environment: Record<string, string>;
  onLog?: (line: LogLine) => void;
}

export interface KeeperOptions {
  logFile: WriteStream;
  /** Say something to whoever looks on. */
  note: (text: string) => void;
  /** A part has been started, or started again. */
  onStarted?: (plan: PartPlan, pid: number) => void;
  /** Aborted when parts that end are not to be started again. */
  signal: AbortSignal;
}

/**
 * Keeps parts alive as child processes. A part that is killed is started again; one that fails with a reason, or dies again
 * and again, is not.
 */
export interface Keeper {
  /** Start a part and keep it alive. Resolves when it has done its work, or all are stopped; rejects with what it failed with. */
  keep(plan: PartPlan): Promise<void>;
  /** The run got on: deaths before this count no more. */
  progressed: () => void;
  /** Tell the parts of a role, or all, to stop; those that have not after so long are killed. */
  stop(limitMs: number, role?: PartRole): void;
  /** Stop all parts for good, in the same way; resolves when they are gone. */
  end(limitMs: number): Promise<void>;
}

export function createKeeper({ logFile, note, onStarted, signal }: KeeperOptions): Keeper {
  const parts = new Map<Part, PartRole>();
  const deathsInARow = new Map<PartPlan, number>();
  const cutOffs = new Set<NodeJS.Timeout>();
  let over = false;

  const start = (plan: PartPlan): Part => {
    const { role, name, args, environment, onLog } = plan;
    const part = startPart(role, args(), environment, logFile, (line) => {
      if (line.level >= pinoWarn) note(`${name}: ${line.msg}${line.reason ? ` (${line.reason})` : ''}`);
      onLog?.(line);
    });
    parts.set(part, role);
    part.exit.finally(() => parts.delete(part)).catch(() => undefined);
    if (part.process.pid !== undefined) onStarted?.(plan, part.process.pid);
    return part;
  };

  /** Whether a part that ended this way is to be started again. Throws what it failed with. */
  const shallRestart = (plan: PartPlan, { code, signal: by, lastWords }: PartExit): boolean => {
    const { role, name } = plan;
    if (over || signal.aborted || code === 0) return false;
    const reason = lastWords || (by ? `it died by ${by}` : `it ended with code ${code}`);
    if (isFinal(role, code)) throw new FourfoldError(code === 2 ? 'invalid' : 'unavailable', reason);
    const deaths = (deathsInARow.get(plan) ?? 0) + 1;
    deathsInARow.set(plan, deaths);
    if (deaths > maxDeathsInARow) {
      throw new FourfoldError('unavailable', `${name} died ${deaths} times in a row, last: ${reason}`, {
        mend: 'look at the run’s log; too little memory is a usual reason',
      });
    }
    note(`${name}: ${reason}; it is started again`);
    return true;
  };

  const stop = (limitMs: number, role?: PartRole): void => {
    const stopped = [...parts].filter(([, of]) => !role || of === role).map(([part]) => part);
    for (const { process } of stopped) process.kill('SIGTERM');
    // A frozen process dies by SIGKILL alone.
    const kill = () => stopped.forEach(({ process }) => process.kill('SIGKILL'));
    cutOffs.add(setTimeout(kill, limitMs));
  };

  return {
    async keep(plan) {
      while (!over && !signal.aborted && shallRestart(plan, await start(plan).exit)) await delay(restartDelayMs);
    },
    progressed: () => deathsInARow.clear(),
    stop,
    async end(limitMs) {
      over = true;
      stop(limitMs);
      await Promise.allSettled([...parts.keys()].map(({ exit }) => exit));
      cutOffs.forEach(clearTimeout);
    },
  };
}

/**
 * A user's mistake ends the run, and so does whatever makes a coordinator give up. A part that fails otherwise, or that
 * is stopped by somebody, is replaced.
 */
const isFinal = (role: PartRole, code: number | null): boolean =>
  code !== null && (role === 'coordinator' || code === 2);
