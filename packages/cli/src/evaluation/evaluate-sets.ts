import { FourfoldError } from '@fourfold/common';
import { cropToMultiple, withName, type Picture, type Scores, evaluatePicture } from '@fourfold/imaging';
import { openMeasuredSet, type Chosen, type MeasuredSet } from '@fourfold/data-loader';
import type { LpipsMeasure } from '../lpips/open-lpips.js';
import { evaluationTable, type EvaluationTable } from '../evaluation-table.js';
import type { Figure, MeasuredPicture } from './figure.js';
import { publishedPictures, publishedResults, type Published } from './published.js';

/** A way of upscaling, the name that tables give it, and what else JSON says of it. */
export interface Subject {
  name: string;
  /** Which of the paper's variants a checkpoint is; a baseline's name says it. */
  variant?: string;
  facts: object;
  upscale: (lr: Picture) => Picture | Promise<Picture>;
}

/** A subject's scores on a set. */
export interface SubjectScores extends EvaluationTable {
  name: string;
  variant?: string;
  facts: object;
}

/** A set of pictures, the subjects' scores on it in their order, and the paper's results, if any. */
export interface SetEvaluation extends Pick<Chosen, 'part' | 'left'> {
  /** Its name, with its place if another set has the same name. */
  set: string;
  images: string;
  subjects: SubjectScores[];
  /** Pictures that cannot be decoded or measured, with the reason. */
  damaged: { file: string; reason: string }[];
  /** Also empty if the paper's means are of another number of pictures. */
  published: readonly Published[];
}

/** Watches an evaluation while it runs. */
export interface Watchers {
  onProgress: (done: number, total: number) => void;
  /** Gets the results for the pictures that it wants. */
  figure?: Pick<Figure, 'choose' | 'wants' | 'add'>;
  /** Measures LPIPS, too. */
  lpips?: LpipsMeasure;
}

/**
 * Measure each subject on each picture of each set, one at a time. A picture that cannot be decoded or measured is left out by all
 * subjects and reported; with `isStrict`, and where no picture of a set can be measured, it throws `invalid` naming it. Rejects with the
 * signal's reason between two measurements.
 */
export async function evaluateSets(
  places: readonly string[],
  subjects: readonly Subject[],
  { onProgress, figure, lpips, isStrict }: Watchers & { isStrict?: boolean },
  signal: AbortSignal,
): Promise<SetEvaluation[]> {
  const sets: MeasuredSet[] = [];
  try {
    for (const place of places) sets.push(await openMeasuredSet(place));
    figure?.choose(sets.flatMap(({ title, photographs }) => photographs.map(title)));
    const total = subjects.length * sets.reduce((sum, { photographs }) => sum + photographs.length, 0);
    let done = 0;
    const evaluations: SetEvaluation[] = [];
    for (const [i, set] of sets.entries()) {
      const onMeasuring = () => onProgress(done++, total);
      const scored = await evaluateSet(set, subjects, { onMeasuring, figure, lpips, isStrict }, signal);
      const { name, part, left } = set;
      const isShared = sets.filter((other) => other.name === name).length > 1;
      const measured = scored.subjects[0].pictures.length;
      const published = measured === publishedPictures[name] ? publishedResults[name] : [];
      evaluations.push({
        set: isShared ? `${name}, ${places[i]}` : name,
        ...{ part, left, published, images: places[i] },
        ...scored,
      });
    }
    onProgress(total, total);
    return evaluations;
  } finally {
    for (const set of sets) await set.close();
  }
}

interface SetWatchers extends Pick<Watchers, 'figure' | 'lpips'> {
  /** A picture is about to be measured by one subject. */
  onMeasuring: () => void;
  isStrict?: boolean;
}

async function evaluateSet(
  set: MeasuredSet,
  subjects: readonly Subject[],
  { onMeasuring, figure, lpips, isStrict = false }: SetWatchers,
  signal: AbortSignal,
): Promise<Pick<SetEvaluation, 'subjects' | 'damaged'>> {
  const scores = subjects.map(({ upscale: _, ...subject }) => ({
    ...subject,
    pictures: [] as SubjectScores['pictures'],
  }));
  const damaged: SetEvaluation['damaged'] = [];
  let first: FourfoldError | undefined;
  for (const file of set.photographs) {
    const name = set.title(file);
    try {
      const original = await set.decode(file);
      const results: MeasuredPicture['results'] = [];
      for (const { name: subject, upscale } of subjects) {
        onMeasuring();
        // Computing blocks the thread: signals and the progress bar get a turn between pictures.
        await new Promise(setImmediate);
        signal.throwIfAborted();
        let sr = original;
        const measured: Scores = await withName(
          name,
          evaluatePicture(original, async (lr) => (sr = await upscale(lr))),
        );
        if (lpips) measured.lpips = await withName(name, lpips.measure(cropToMultiple(original, 4), sr, signal));
        results.push({ name: subject, sr: figure?.wants(name) ? sr : original, scores: measured });
      }
      for (const [j, { scores: measured }] of results.entries()) {
        scores[j].pictures.push({ picture: file.name, ...measured });
      }
      if (figure?.wants(name)) figure.add({ name, original: cropToMultiple(original, 4), results });
    } catch (error) {
      const isDamaged = error instanceof FourfoldError && error.code === 'invalid';
      if (isStrict || !isDamaged) throw error;
      first ??= error;
      damaged.push({ file: file.name, reason: error.message.replace(`${name}: `, '') });
    }
  }
  if (first && damaged.length === set.photographs.length) throw first;
  return { subjects: scores.map((one) => ({ ...one, ...evaluationTable(one.pictures) })), damaged };
}
