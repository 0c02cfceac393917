import { forEachThatCan } from '@fourfold/common';
import {
  validationFolder,
  validationIteration,
  validationKey,
  bestEvaluation,
  type BestBy,
  type ObjectStore,
  type Evaluation,
} from '@fourfold/store';
import type { Housekeeping } from '../life/housekeeping.js';

/** Evaluations whose pictures are kept, besides the best one. */
const keptEvaluations = 5;

/** The views of one validation picture: keys in the run's store. */
export interface PictureViews {
  name: string;
  original?: string;
  bicubic?: string;
  /** SR of the kept evaluations, oldest first. */
  results: { iteration: number; psnr: number; ssim: number; key: string }[];
}

/** The first `count` pictures that were evaluated, if the store has any view of them. */
export function viewsOf(keys: ReadonlySet<string>, evaluations: readonly Evaluation[], count: number): PictureViews[] {
  const there = (key: string) => (keys.has(key) ? key : undefined);
  const pictures = evaluations.at(-1)?.pictures.slice(0, count) ?? [];
  return pictures.flatMap(({ picture: name }) => {
    const results = evaluations.flatMap(({ iteration, pictures }) => {
      const key = there(validationKey(name, iteration));
      const scores = pictures.find(({ picture }) => picture === name);
      return key && scores ? [{ iteration, psnr: scores.psnr, ssim: scores.ssim, key }] : [];
    });
    if (results.length === 0) return [];
    const original = there(validationKey(name, 'original'));
    return [{ name, original, bicubic: there(validationKey(name, 'bicubic')), results }];
  });
}

/**
 * Keys of superfluous SR: of evaluations that are neither among the newest nor the best. SR newer than the last
 * evaluation is being written.
 */
export function superfluousViews(
  keys: Iterable<string>,
  evaluations: readonly Evaluation[],
  bestBy?: BestBy,
): string[] {
  const newest = evaluations.at(-1)?.iteration ?? 0;
  const kept = new Set(evaluations.slice(-keptEvaluations).map(({ iteration }) => iteration));
  const best = bestEvaluation(evaluations, bestBy);
  if (best) kept.add(best.iteration);
  // SR of pictures that were never evaluated is not this run's.
  const pictures = new Set(evaluations.flatMap(({ pictures }) => pictures.map(({ picture }) => picture)));
  const folders = new Set([...pictures].map((picture) => folderOf(validationKey(picture, 'original'))));
  return [...keys].filter((key) => {
    const iteration = validationIteration(key);
    return iteration !== undefined && iteration < newest && !kept.has(iteration) && folders.has(folderOf(key));
  });
}

const folderOf = (key: string) => key.slice(0, key.lastIndexOf('/'));

/** The validation pictures in a run's store, as last listed. */
export interface ValidationPictures {
  views(): readonly PictureViews[];
  /** The bytes of one of the views' keys (WebP); undefined for any other key. */
  read(key: string): Promise<Buffer> | undefined;
  /** After an evaluation: list again, and remove superfluous SR. */
  refresh(): void;
  /** Resolves when no refresh is under way. */
  idle(): Promise<void>;
}

/**
 * `mayRemove` is awaited before anything is removed, and throws if this coordinator may no longer write. A failed
 * refresh counts as housekeeping: the next evaluation refreshes again.
 */
export function createValidationPictures(
  run: ObjectStore,
  count: number,
  evaluations: () => readonly Evaluation[],
  mayRemove: () => Promise<void>,
  housekeeping: Housekeeping,
  bestBy?: BestBy,
): ValidationPictures {
  let views: PictureViews[] = [];
  let servable = new Set<string>();
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const keys = new Set((await run.list(validationFolder)).map(({ key }) => key));
    const superfluous = superfluousViews(keys, evaluations(), bestBy);
    for (const key of superfluous) keys.delete(key);
    views = viewsOf(keys, evaluations(), count);
    const all = views.flatMap(({ original, bicubic, results }) => [
      original,
      bicubic,
      ...results.map(({ key }) => key),
    ]);
    servable = new Set(all.filter((key) => key !== undefined));
    if (superfluous.length > 0) await mayRemove();
    await forEachThatCan(superfluous, (key) => run.remove(key));
  }

  return {
    views: () => views,
    read: (key) => (servable.has(key) ? run.get(key) : undefined),
    refresh() {
      looking = looking.then(() => housekeeping.tend('pictures', look));
    },
    idle: () => looking,
  };
}
