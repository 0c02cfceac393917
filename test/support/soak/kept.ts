import { readFileSync } from 'node:fs';
import { prepareLocalRuns } from '../local-run.js';
import { startFourfold, type Process } from '../process.js';
import type { Watched } from './sample.js';

/** A `fourfold train` beside the cluster, whose supervisor restarts what dies. */
export interface KeptRun {
  parts(): Watched[];
  killWorker(): void;
  train: Process;
  remove(): Promise<void>;
}

/** More iterations than a soak can have. */
const endless = 1_000_000;

export async function startKeptRun(): Promise<KeptRun> {
  const runs = await prepareLocalRuns(endless);
  // It runs only to test its supervisor, and leaves the machine to the cluster.
  const { configPath } = await runs.create('kept');
  const wrapper = ['nice', '-n', '19'];
  const args = ['train', configPath, '--set', 'checkpoints.every=1000'];
  const train = startFourfold(args, wrapper, { FOURFOLD_LOG: 'info' });
  const pid = train.child.pid as number;
  const isWarm = () => true;
  const children = (): Watched[] =>
    read(`/proc/${pid}/task/${pid}/children`)
      .split(' ')
      .filter(Boolean)
      .flatMap((child) => {
        const role = /\0(coordinator|worker)\0/.exec(read(`/proc/${child}/cmdline`))?.[1];
        return role ? [{ role: `kept ${role}`, pid: Number(child), isWarm }] : [];
      });
  return {
    train,
    parts: () => [{ role: 'keeper', pid, isWarm }, ...children()],
    killWorker() {
      const worker = children().find(({ role }) => role === 'kept worker');
      if (worker) process.kill(worker.pid, 'SIGKILL');
    },
    remove: () => runs.remove(),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
