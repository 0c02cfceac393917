import { FourfoldError, totalIterations, type Logger, type ObjectStore, type RunConfig } from '@fourfold/common';
import {
  listCheckpoints,
  newestWholeCheckpoint,
  removeCheckpoint,
  surveyCheckpoints,
  writeCheckpoint,
  type CheckpointFacts,
  type WholeCheckpoint,
} from './checkpoint.js';
import type { History } from './history.js';
import { forEachThatCan } from './housekeeping.js';
import { bestEvaluation, superfluousCheckpoints, termOf } from './retention.js';
import { isEvaluated, nextHalf, positionAt, type Versions } from './schedule.js';

/** What a checkpoint holds of a run, at one moment. */
export interface RunSnapshot {
  versions: Versions;
  history: History;
  files: Record<string, Uint8Array>;
}

/**
 * The checkpoint that a run starts from: none for a new run, the newest whole one with `resume`. Throws `invalid` when
 * the run has checkpoints and is not to be resumed, or when the checkpoint is of another dataset, seed or schedule up to there.
 */
export async function startingPoint(
  run: ObjectStore,
  config: RunConfig,
  datasetSha256: string,
  resume: boolean,
  log: Logger,
): Promise<(WholeCheckpoint & { name: string }) | undefined> {
  const names = await listCheckpoints(run);
  if (names.length > 0 && !resume) {
    throw new FourfoldError('invalid', `run ${config.name} exists already, up to checkpoint ${names.at(-1)}`, {
      hint: 'continue it with --resume, or choose another name',
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
      hint: `give it its ${other} back, or choose another name`,
    });
  }
  const { generator, discriminator } = manifest.versions;
  const due = discriminatorDue(config, generator);
  if (due && !due.includes(discriminator)) {
    throw new FourfoldError(
      'invalid',
      `checkpoint ${found.name} of run ${config.name} has ${discriminator} updates of the discriminator; by the config’s phases it has ${due[0]}`,
      { hint: 'give the phases before it their iterations back, or choose another name' },
    );
  }
  return found;
}

/** How many updates the discriminator may have had after `generator` of the generator; undefined where the schedule is over. */
function discriminatorDue({ phases }: RunConfig, generator: number): number[] | undefined {
  if (generator >= totalIterations({ phases })) return undefined;
  const { discriminatorVersion, kind } = positionAt(phases, generator);
  return kind === 'gan' ? [discriminatorVersion, discriminatorVersion + 1] : [discriminatorVersion];
}

/** Write a checkpoint; returns its name. */
export async function saveCheckpoint(
  run: ObjectStore,
  facts: Omit<CheckpointFacts, 'iteration' | 'versions' | 'finished' | 'history' | 'best'> & { config: RunConfig },
  { versions, history, files }: RunSnapshot,
  mayPublish: () => Promise<void>,
): Promise<string> {
  const best = bestEvaluation(history.evaluations);
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
    files,
    mayPublish,
  );
}

/**
 * Remove what need not be kept: superfluous checkpoints, and what earlier terms began and did not finish, or finished when this one had
 * already gone on from elsewhere. What a later term has begun is not this coordinator's. One that cannot be removed keeps no other from
 * being removed; then the first failure is thrown.
 */
export async function pruneCheckpoints(
  run: ObjectStore,
  term: number,
  config: RunConfig,
  { evaluations }: History,
): Promise<void> {
  const { valid, superseded, unfinished } = await surveyCheckpoints(run);
  const abandoned = [...superseded, ...unfinished].filter((name) => termOf(name) < term);
  const superfluous = superfluousCheckpoints(valid, config.checkpoints, evaluations, (iteration) =>
    isEvaluated(config, iteration),
  );
  await forEachThatCan([...superfluous, ...abandoned], (name) => removeCheckpoint(run, name));
}
