import { bestByChoices, describeError } from '@fourfold/common';
import { z } from '@fourfold/common/zod';
import { openStore } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import {
  checkpointStore,
  listCheckpoints,
  readManifest,
  surveyCheckpoints,
  type Checkpoint,
  type CheckpointManifest,
} from './checkpoint.js';
import type { Evaluation } from './history.js';
import { bestEvaluation, rankOf, termOf } from './retention.js';

/** What a checkpoint's manifest says, or why it cannot be read. */
export type ListedCheckpoint = { run: string; name: string; url: string } & (
  | {
      iteration: number;
      finished: boolean;
      /** Mean PSNR (dB) of the evaluation at this iteration, if there was one. */
      psnr?: number;
      /** Its score by the run's newest `checkpoints.bestBy`, higher for better ones (LPIPS is negated). */
      rank?: number;
      /** No evaluation recorded in the run's checkpoints is better. */
      best: boolean;
      sizeBytes: number;
      createdAt: string;
    }
  | { damaged: string }
  /** Why it does not count, although it is complete. */
  | { superseded: string }
);

/**
 * The checkpoints below a run's store or an object store of runs, run by run, oldest first. Finding none is not an
 * error.
 */
export async function listStore(store: ObjectStore): Promise<ListedCheckpoint[]> {
  const runs = await runsBelow(store);
  return (await Promise.all(runs.map(({ name, run }) => listRun(name, run)))).flat();
}

/**
 * The evaluation of a checkpoint's generator. It ends after the checkpoint was copied, so a later checkpoint of the run
 * may be the first to record it. Undefined if none does, or if the checkpoint is outside its run.
 */
export async function evaluationOf({ store, manifest }: Checkpoint): Promise<Evaluation | undefined> {
  const own = evaluationAt(manifest.iteration, manifest.history.evaluations);
  const [, runUrl] = /^(.+)\/checkpoints\/[^/]+$/.exec(store.url) ?? [];
  if (own || !runUrl) return own;
  const run = openStore(runUrl);
  const manifests = (await listCheckpoints(run)).map((name) =>
    readManifest(checkpointStore(run, name)).catch(() => undefined),
  );
  const evaluations = (await Promise.all(manifests)).flatMap((later) =>
    later?.run === manifest.run ? later.history.evaluations : [],
  );
  return evaluationAt(manifest.iteration, evaluations);
}

const evaluationAt = (iteration: number, evaluations: readonly Evaluation[]) =>
  evaluations.find((evaluation) => evaluation.iteration === iteration);

async function runsBelow(store: ObjectStore): Promise<{ name: string; run: ObjectStore }[]> {
  const objects = await store.list('');
  if (objects.some(({ key }) => key.startsWith('checkpoints/'))) {
    return [{ name: store.url.split('/').at(-1) ?? '', run: store }];
  }
  const names = new Set(objects.flatMap(({ key }) => /^runs\/([^/]+)\//.exec(key)?.slice(1) ?? []));
  return [...names].map((name) => ({ name, run: store.at(`runs/${name}`) }));
}

async function listRun(run: string, store: ObjectStore): Promise<ListedCheckpoint[]> {
  const { valid: names, superseded } = await surveyCheckpoints(store);
  const manifests = await Promise.all(
    names.map((name) => readManifest(checkpointStore(store, name)).catch(describeError)),
  );
  const readable = manifests.filter((manifest) => typeof manifest !== 'string');
  // An evaluation ends after its checkpoint was copied: later checkpoints record it.
  const evaluations = readable.flatMap(({ history }) => history.evaluations);
  // Scores by different measures do not compare: a resumed run may have another measure than before.
  const bestBy = bestBySchema.parse(readable.at(-1)?.config);
  const placeOf = (name: string) => ({ run, name, url: checkpointStore(store, name).url });
  const listed = manifests.map((manifest, i) =>
    typeof manifest === 'string'
      ? { ...placeOf(names[i]), damaged: manifest }
      : { ...placeOf(names[i]), ...facts(manifest, evaluations, bestBy) },
  );
  const nobodys = superseded.map((name) => ({
    ...placeOf(name),
    superseded: `a newer term than ${termOf(name)} had already resumed from an earlier checkpoint`,
  }));
  return [...listed, ...nobodys].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The key of a config that decides the best checkpoint; older configs lack it. */
const bestBySchema = z
  .object({ checkpoints: z.object({ bestBy: z.enum(bestByChoices) }) })
  .transform(({ checkpoints }) => checkpoints.bestBy)
  .catch('psnr');

function facts(
  { iteration, finished, createdAt, files }: CheckpointManifest,
  evaluations: readonly Evaluation[],
  bestBy: z.infer<typeof bestBySchema>,
) {
  const evaluation = evaluationAt(iteration, evaluations);
  const psnr = evaluation?.psnr;
  const rank = evaluation && rankOf(evaluation, bestBy);
  return {
    iteration,
    finished,
    ...(psnr !== undefined && Number.isFinite(psnr) && { psnr }),
    ...(rank !== undefined && { rank }),
    best: bestEvaluation(evaluations, bestBy)?.iteration === iteration,
    sizeBytes: Object.values(files).reduce((sum, file) => sum + file.sizeBytes, 0),
    createdAt,
  };
}
