import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { FourfoldError, type PhaseConfig, type RunConfig } from '@fourfold/common';
import { runStore, type Checkpoint, checkpointStore, listCheckpoints, readManifest } from '@fourfold/store';
import { cliPath } from '../train/child.js';

/** `fourfold train`, as a user would run it, on this terminal. Rejects with the signal's reason once it has stopped. */
export async function runTraining(configPath: string, signal: AbortSignal): Promise<void> {
  const training = spawn(process.execPath, [cliPath, 'train', configPath], { stdio: 'inherit' });
  const stop = () => training.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  const [exitCode] = (await once(training, 'exit')) as [number | null];
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (exitCode !== 0) {
    throw new FourfoldError('unavailable', 'the demo’s training did not finish', {
      hint: 'see its output above for the reason',
    });
  }
}

/** The checkpoint at the end of each phase. Throws `not-found` where one is missing. */
export async function phaseEndCheckpoints(
  config: RunConfig,
): Promise<{ kind: PhaseConfig['kind']; checkpoint: Checkpoint }[]> {
  const run = runStore(config);
  const names = await listCheckpoints(run);
  let end = 0;
  return Promise.all(
    config.phases.map(async ({ kind, iterations }) => {
      end += iterations;
      const iteration = end;
      const name = names.findLast((candidate) => Number(candidate.split('-')[0]) === iteration);
      if (!name) throw new FourfoldError('not-found', `${run.url} has no checkpoint of iteration ${iteration}`);
      const store = checkpointStore(run, name);
      return { kind, checkpoint: { store, manifest: await readManifest(store) } };
    }),
  );
}
