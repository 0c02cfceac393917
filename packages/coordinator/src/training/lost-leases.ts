import { lossError, pauseAfterLosses, type FourfoldError, type Logger, type Loss } from '@fourfold/common';
import type { LeaseBoard } from '../leases/lease-board.js';

export interface LossParts {
  board: Pick<LeaseBoard<unknown, unknown>, 'holdBack'>;
  /** Ends the run. */
  stop: (error: FourfoldError) => void;
  /** A lease that is lost repeatedly is retried for as long. */
  latelyMs: number;
  log: Logger;
  /** The machines seen lately. */
  machines: () => ReadonlySet<string>;
}

/** Counts the workers that were lost without a message while they had a task: the task may be what kills them. */
export function createLosses({ board, stop, latelyMs, log, machines }: LossParts) {
  /** By task: workers lost with it, since any worker last made progress. */
  const losses = new Map<string, Loss[]>();
  return {
    /** Hold the task back after several losses; end the run when patience has run out. */
    add(task: string, loss: Loss): void {
      const all = [...(losses.get(task) ?? []), loss];
      losses.set(task, all);
      const pauseMs = pauseAfterLosses(all, { machines: machines(), patienceMs: latelyMs });
      const lost = all.map(({ process, machine }) => ({ worker: process, machine }));
      const about = { event: 'lease-lost-again', task, times: all.length, lost };
      if (pauseMs === undefined) {
        log.error(about, 'every worker with this lease is lost');
        stop(lossError(task, all));
      } else if (pauseMs > 0) {
        board.holdBack(task, loss.lostMs + pauseMs);
        log.warn({ ...about, pauseMs: Math.round(pauseMs) }, 'a lease is held back');
      }
    },
    /** A worker has done the task or a part of it, and survived it. */
    forget: (task: string): void => void losses.delete(task),
  };
}
