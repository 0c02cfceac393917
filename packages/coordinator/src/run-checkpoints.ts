import { FourfoldError, type Logger, type ObjectStore, type RunConfig } from '@fourfold/common';
import {
  checkpointName,
  listCheckpoints,
  newestWholeCheckpoint,
  removeCheckpoint,
  superfluousCheckpoints,
  writeCheckpoint,
  type CheckpointFacts,
  type CheckpointManifest,
} from './checkpoint.js';
import type { Evaluation, History } from './history.js';
import type { Master } from './master.js';
import { nextHalf } from './schedule.js';

/**
 * The checkpoint that a run starts from: none for a new run, the newest whole one with `resume`. Throws `invalid` when
 * the run has checkpoints and is not to be resumed, or when the checkpoint is of another dataset or seed.
 */
export async function startingPoint(
  run: ObjectStore,
  config: RunConfig,
  datasetSha256: string,
  resume: boolean,
  log: Logger,
): Promise<{ name: string; manifest: CheckpointManifest } | undefined> {
  const names = await listCheckpoints(run);
  if (names.length > 0 && !resume) {
    throw new FourfoldError('invalid', `run ${config.name} exists already, up to checkpoint ${names.at(-1)}`, {
      mend: 'continue it with --resume, or choose another name',
    });
  }
  const found = await newestWholeCheckpoint(run, (name, error) => {
    log.warn({ event: 'checkpoint-damaged', checkpoint: name, err: error }, 'a damaged checkpoint is passed over');
  });
  if (!found) return undefined;
  const { manifest } = found;
  const other =
    manifest.datasetSha256 !== datasetSha256 ? 'dataset' : manifest.seed !== config.seed ? 'seed' : undefined;
  if (other) {
    throw new FourfoldError('invalid', `run ${config.name} was begun with another ${other}`, {
      mend: `give it its ${other} back, or choose another name`,
    });
  }
  return found;
}

/** Write a checkpoint of the master's state; returns its name. */
export async function saveCheckpoint(
  run: ObjectStore,
  facts: Omit<CheckpointFacts, 'iteration' | 'versions' | 'finished' | 'history' | 'best'> & { config: RunConfig },
  master: Master,
  history: History,
  mayPublish: () => Promise<void>,
): Promise<string> {
  const versions = master.versions();
  const best = bestEvaluation(history);
  return writeCheckpoint(
    run,
    {
      ...facts,
      iteration: versions.generator,
      versions,
      finished: nextHalf(facts.config.phases, versions) === undefined,
      history,
      ...(best && { best: { iteration: best.iteration, psnr: best.psnr } }),
    },
    master.files(),
    mayPublish,
  );
}

/** Remove what need not be kept: superfluous checkpoints, and what earlier terms began and did not finish. */
export async function pruneCheckpoints(run: ObjectStore, term: number, keep: number, history: History): Promise<void> {
  const whole = await listCheckpoints(run);
  const kept = new Set(whole.map((name) => Number(name.split('-')[0])));
  const best = bestEvaluation({ ...history, evaluations: history.evaluations.filter((e) => kept.has(e.iteration)) });
  const begun = new Set((await run.list('checkpoints/')).map(({ key }) => key.split('/')[1]));
  const ownSuffix = checkpointName(0, term).slice(-5);
  const abandoned = [...begun].filter((name) => !whole.includes(name) && !name.endsWith(ownSuffix));
  for (const name of [...superfluousCheckpoints(whole, keep, best?.iteration), ...abandoned]) {
    await removeCheckpoint(run, name);
  }
}

const bestEvaluation = ({ evaluations }: History): Evaluation | undefined =>
  evaluations.reduce<Evaluation | undefined>((best, next) => (best && best.psnr >= next.psnr ? best : next), undefined);
