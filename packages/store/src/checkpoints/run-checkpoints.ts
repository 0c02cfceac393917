import {
  forEachThatCan,
  FourfoldError,
  totalIterations,
  type Logger,
  type RunConfig,
  isEvaluated,
  nextHalf,
  positionAt,
  type Versions,
} from '@fourfold/common';
import type { ObjectStore } from '../objects/types.js';
import { unlessLost } from '../objects/object-store.js';
import {
  checkpointStore,
  listCheckpoints,
  newestWholeCheckpoint,
  readManifest,
  removeCheckpoint,
  surveyCheckpoints,
  writeCheckpoint,
  type CheckpointFacts,
  type WholeCheckpoint,
} from './checkpoint.js';
import type { History } from './history.js';
import { bestEvaluation, superfluousCheckpoints, termOf } from './retention.js';

/** A run's state at one moment, as a checkpoint holds it. */
export interface RunSnapshot {
  versions: Versions;
  history: History;
  files: Record<string, Uint8Array>;
}

/**
 * The checkpoint that a run starts from: none for a new run, the newest intact one with `resume`. Throws `invalid` if
 * the run has checkpoints and `resume` is false, or if the checkpoint has another dataset, seed or schedule so far.
 */
export async function startingPoint(
  run: ObjectStore,
  config: RunConfig,
  datasetSha256: string,
  resume: boolean,
  log: Logger,
): Promise<(WholeCheckpoint & { name: string }) | undefined> {
  const names = await listCheckpoints(run);
  if (names.length > 0 && !resume) throw await alreadyExists(run, config, names[names.length - 1]);
  const found = await newestWholeCheckpoint(run, (name, error) => {
    log.warn({ event: 'checkpoint-damaged', checkpoint: name, err: error }, 'skipping a damaged checkpoint');
  });
  if (!found) return undefined;
  const { manifest } = found;
  const other =
    manifest.datasetSha256 !== datasetSha256 ? 'dataset' : manifest.seed !== config.seed ? 'seed' : undefined;
  if (other) {
    throw new FourfoldError('invalid', `run ${config.name} was started with a different ${other}`, {
      hint: `restore its ${other} in the config, or choose another name`,
    });
  }
  const { generator, discriminator } = manifest.versions;
  const due = discriminatorDue(config, generator);
  if (due && !due.includes(discriminator)) {
    throw new FourfoldError(
      'invalid',
      `checkpoint ${found.name} of run ${config.name} has ${discriminator} updates of the discriminator; by the config’s phases it has ${due[0]}`,
      { hint: 'restore the iterations of the phases before it, or choose another name' },
    );
  }
  return found;
}

async function alreadyExists(run: ObjectStore, { name, phases }: RunConfig, newest: string): Promise<FourfoldError> {
  const manifest = await unlessLost(readManifest(checkpointStore(run, newest)));
  if (!manifest?.finished || totalIterations({ phases }) > manifest.iteration) {
    return new FourfoldError('invalid', `run ${name} already exists, up to checkpoint ${newest}`, {
      hint: 'continue it with --resume, or choose another name',
    });
  }
  return new FourfoldError('invalid', `run ${name} is finished, at iteration ${manifest.iteration}`, {
    hint: `choose another name for a new run; to train this one further, ${howToLengthen({ phases })}`,
  });
}

/** How a user continues a finished run. */
export const howToLengthen = ({ phases }: Pick<RunConfig, 'phases'>): string =>
  `resume it with a longer schedule, such as --resume --set phases.${phases.length - 1}.iterations=N`;

/**
 * How many updates the discriminator may have had after `generator` updates of the generator; undefined after the end
 * of the schedule.
 */
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
  const best = bestEvaluation(history.evaluations, facts.config.checkpoints.bestBy);
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
 * Remove superfluous checkpoints, and those that earlier terms did not finish, or finished after this term had resumed
 * from another. Checkpoints that a later term has begun are not this coordinator's. A failure to remove one does not
 * keep others from being removed; the first failure is thrown at the end.
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
