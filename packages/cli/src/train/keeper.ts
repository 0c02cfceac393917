import { setTimeout as delay } from 'node:timers/promises';
import type { Role } from '@fourfold/common';
import { startPart, type LogFile, type LogLine, type Part, type PartExit } from './child.js';
import { watchHealth } from './health-watch.js';
import { describeEnd } from './part-end.js';
import { createRestarts } from './restarts.js';
import { createTerminalNotes } from './terminal-notes.js';

/** Shorter pauses are not mentioned. */
const sayMs = 3_000;

/** A part that must live as long as the run. */
export interface PartPlan {
  role: Role;
  /** Its name in messages. */
  name: string;
  /** Its arguments at its next start. */
  args: () => string[];
  /** On top of this process's environment. */
  environment: Record<string, string>;
  /** On its standard input. */
  input?: string;
  /** The URL of its `/healthz`: a part that no longer answers is killed, and so restarted. */
  healthz?: string;
  onLog?: (line: LogLine) => void;
}

export interface KeeperOptions {
  logFile: LogFile;
  /** Show a message to the user. */
  note: (text: string) => void;
  /** A part has been started or restarted. */
  onStarted?: (plan: PartPlan, pid: number) => void;
  /** Aborted when parts that end must not be restarted. */
  signal: AbortSignal;
}

/**
 * Keeps parts alive as child processes. A part that is killed or fails is restarted, after growing pauses, until it is clear
 * that no other process would do better.
 */
export interface Keeper {
  /**
   * Start a part and keep it alive. Resolves when it has done its work, stays out while others of its role do well, or all are
   * stopped; rejects with its error.
   */
  keep(plan: PartPlan): Promise<void>;
  /** The run made progress: earlier deaths no longer count. */
  progressed: () => void;
  /** Tell the parts of a role, or all, to stop; those that still run after `limitMs` are killed. */
  stop(limitMs: number, role?: Role): void;
  /** Stop all parts for good, in the same way; resolves when they are gone. */
  end(limitMs: number): Promise<void>;
}

// eslint-disable-next-line max-lines-per-function -- short functions that share the parts
export function createKeeper({ logFile, note, onStarted, signal }: KeeperOptions): Keeper {
  const parts = new Map<Part, Role>();
  let over = false;
  const restarts = createRestarts();
  const notes = createTerminalNotes(() => over || signal.aborted);
  const cutOffs = new Set<NodeJS.Timeout>();
  const ending = new AbortController();

  const start = (plan: PartPlan): Part => {
    const { role, name, args, environment, input, healthz, onLog } = plan;
    restarts.started(plan);
    const part = startPart(role, args(), { environment, input }, logFile, (line) => {
      const text = notes.noteOf(name, line);
      if (text !== undefined) note(text);
      onLog?.(line);
    });
    parts.set(part, role);
    const hung = () => {
      note(`${name}: it does not answer at ${healthz}, and is killed`);
      part.process.kill('SIGKILL');
    };
    const unwatch = healthz === undefined ? () => undefined : watchHealth(healthz, hung);
    const ended = () => {
      unwatch();
      parts.delete(part);
    };
    part.exit.finally(ended).catch(() => undefined);
    if (part.process.pid !== undefined) onStarted?.(plan, part.process.pid);
    return part;
  };

  /** The pause before a part that ended this way is restarted; undefined if it is not. Throws the error that ends the run. */
  const restartInMs = (plan: PartPlan, end: PartExit): number | undefined => {
    if (over || signal.aborted || end.code === 0) return undefined;
    const next = restarts.ended(plan, end);
    if ('ends' in next) throw next.ends;
    const reason = `${plan.name}: ${describeEnd(end)}`;
    if ('isOut' in next) {
      note(`${reason}; it is not restarted, the others continue`);
      return undefined;
    }
    const { restartInMs } = next;
    note(`${reason}; it is restarted${restartInMs < sayMs ? '' : ` in ${Math.round(restartInMs / 1000)} s`}`);
    return restartInMs;
  };

  const stop = (limitMs: number, role?: Role): void => {
    const stopped = [...parts].filter(([, of]) => !role || of === role).map(([part]) => part);
    for (const { process } of stopped) process.kill('SIGTERM');
    // Only SIGKILL ends a frozen process.
    const kill = () => stopped.forEach(({ process }) => process.kill('SIGKILL'));
    cutOffs.add(setTimeout(kill, limitMs));
  };

  return {
    async keep(plan) {
      while (!over && !signal.aborted) {
        const pauseMs = restartInMs(plan, await start(plan).exit);
        if (pauseMs === undefined) return;
        await delay(pauseMs, undefined, { signal: ending.signal }).catch(() => undefined);
      }
    },
    progressed: restarts.progressed,
    stop,
    async end(limitMs) {
      over = true;
      ending.abort();
      stop(limitMs);
      await Promise.allSettled([...parts.keys()].map(({ exit }) => exit));
      cutOffs.forEach(clearTimeout);
    },
  };
}
