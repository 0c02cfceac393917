import { on } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { startFourfold, type Process } from '../support/process.js';
import { patience, type RealCluster } from '../support/real-nodes.js';

/** What `fourfold status --json` says. */
export interface Status {
  state: string;
  problems: string[];
  training?: { iteration: number; workers: number };
}

/** `fourfold status RUN --watch`, one process for as long as the run is looked at. */
export interface Watch extends Process {
  /** The first status from now on that meets a condition; `what` names it where it does not come. */
  next(what: string, meets: (status: Status) => boolean): Promise<Status>;
  /** Wait until the run is beyond an iteration, with this many workers; returns where it is. */
  progress(iteration: number, workers?: number): Promise<number>;
}

/** Start to watch a run. */
export function watchRun({ kubeconfig }: RealCluster, run: string, place: readonly string[]): Watch {
  const command = startFourfold(['status', run, ...place, '--watch', '--json'], [], { KUBECONFIG: kubeconfig });
  const lines = createInterface({ input: command.child.stdout as Readable });
  const next: Watch['next'] = async (what, meets) => {
    let last = '';
    const failure = (why: unknown) =>
      new Error(`${run}: ${what} has not come: ${String(why)}: ${last}\n${command.errors.join('\n')}`);
    const signal = AbortSignal.timeout(patience.timeout);
    try {
      for await (const [line] of on(lines, 'line', { signal, close: ['close'] }) as AsyncIterable<[string]>) {
        last = line;
        const status = JSON.parse(line) as Status;
        if (meets(status)) return status;
      }
    } catch (error) {
      throw failure(error);
    }
    throw failure('the command has ended');
  };
  const progress: Watch['progress'] = async (iteration, workers = 2) => {
    const { training } = await next(
      `an iteration beyond ${iteration} with ${workers} workers`,
      ({ training }) => training !== undefined && training.iteration > iteration && training.workers === workers,
    );
    return training?.iteration as number;
  };
  return { ...command, next, progress };
}
