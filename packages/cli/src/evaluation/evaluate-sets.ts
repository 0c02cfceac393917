import { cropToMultiple, withName, type Picture, evaluatePicture } from '@fourfold/imaging';
import { openMeasuredSet, type Chosen, type MeasuredSet } from '@fourfold/data-loader';
import { evaluationTable, type EvaluationTable } from '../evaluation-table.js';
import type { Figure, MeasuredPicture } from './figure.js';
import { publishedPictures, publishedResults, type Published } from './published.js';

/** A way of upscaling, the name that tables give it, and what else JSON says of it. */
export interface Subject {
  name: string;
  /** Which of the paper's variants a checkpoint is; a baseline's name says it. */
  variant?: string;
  facts: object;
  upscale: (lr: Picture) => Picture;
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
  /** Also empty if the paper's means are of another number of pictures. */
  published: readonly Published[];
}

/** Watches an evaluation while it runs. */
export interface Watchers {
  onProgress: (done: number, total: number) => void;
  /** Gets the results for the pictures that it wants. */
  figure?: Pick<Figure, 'choose' | 'wants' | 'add'>;
}

/**
 * Measure each subject on each picture of each set, one at a time. Throws `invalid` or `not-found` naming the picture that cannot
 * be measured: a mean over the others would not be comparable. Rejects with the signal's reason between two of them.
 */
export async function evaluateSets(
  places: readonly string[],
  subjects: readonly Subject[],
  { onProgress, figure }: Watchers,
  signal: AbortSignal,
): Promise<SetEvaluation[]> {
  const sets: MeasuredSet[] = [];
  try {
    for (const place of places) sets.push(await openMeasuredSet(place));
    figure?.choose(sets.flatMap(({ title, photographs }) => photographs.map(title)));
    const total = subjects.length * sets.reduce((sum, { photographs }) => sum + photographs.length, 0);
    let done = 0;
    const evaluations: SetEvaluation[] = [];
    for (const [i, { name: set, part, title, photographs, left, decode }] of sets.entries()) {
      const scores = subjects.map(({ upscale: _, ...subject }) => ({
        ...subject,
        pictures: [] as SubjectScores['pictures'],
      }));
      for (const file of photographs) {
        const name = title(file);
        const original = await decode(file);
        const results: MeasuredPicture['results'] = [];
        for (const [j, { name: subject, upscale }] of subjects.entries()) {
          onProgress(done++, total);
          // Computing blocks the thread: signals and the progress bar get a turn between pictures.
          await new Promise(setImmediate);
          signal.throwIfAborted();
          let sr = original;
          const measured = await withName(
            name,
            evaluatePicture(original, (lr) => (sr = upscale(lr))),
          );
          scores[j].pictures.push({ picture: file.name, ...measured });
          if (figure?.wants(name)) results.push({ name: subject, sr, scores: measured });
        }
        if (figure?.wants(name)) figure.add({ name, original: cropToMultiple(original, 4), results });
      }
      const measuredSubjects = scores.map((one) => ({ ...one, ...evaluationTable(one.pictures) }));
      const published = photographs.length === publishedPictures[set] ? publishedResults[set] : [];
      const isShared = sets.filter((other) => other.name === set).length > 1;
      const name = isShared ? `${set}, ${places[i]}` : set;
      evaluations.push({ set: name, part, images: places[i], subjects: measuredSubjects, published, left });
    }
    onProgress(total, total);
    return evaluations;
  } finally {
    for (const set of sets) await set.close();
  }
}
