import { basename } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import {
  choosePhotographs,
  decodePicture,
  naming,
  openSource,
  type Part,
  type Picture,
  type SourceFile,
} from '@fourfold/data-loader';
import { evaluatePicture } from '@fourfold/worker';
import { meanScores, type EvaluationTable } from '../evaluation-table.js';
import { publishedResults, type Published } from './published.js';

/** A way of upscaling, the name that tables give it, and what else JSON says of it. */
export interface Subject {
  name: string;
  /** Of a checkpoint, which of the paper's variants it is; a baseline's name says it. */
  variant?: string;
  facts: object;
  upscale: (lr: Picture) => Picture;
}

/** What a subject reaches on a set. */
export interface SubjectScores extends EvaluationTable {
  name: string;
  variant?: string;
  facts: object;
}

/** A set of pictures, what the subjects reach on it in their order, and what the paper says of it, if anything. */
export interface SetEvaluation {
  set: string;
  images: string;
  subjects: SubjectScores[];
  published: readonly Published[];
}

/** Benchmarks and validation parts are for measuring. */
const partsInOrder: readonly Part[] = ['test', 'validation', 'train'];

interface OpenSet {
  set: string;
  title: string;
  photographs: SourceFile[];
  close: () => Promise<void>;
}

/**
 * Measure each subject on each picture of each set, one at a time. Throws `invalid` or `not-found` naming the picture that cannot
 * be measured: a mean over the others would not be comparable. Rejects with the signal's reason between two of them.
 */
export async function evaluateSets(
  places: readonly string[],
  subjects: readonly Subject[],
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<SetEvaluation[]> {
  const sets: OpenSet[] = [];
  try {
    for (const place of places) sets.push(await openSet(place));
    const total = subjects.length * sets.reduce((sum, { photographs }) => sum + photographs.length, 0);
    let done = 0;
    const results: SetEvaluation[] = [];
    for (const [i, { set, title, photographs }] of sets.entries()) {
      const scores = subjects.map(({ upscale: _, ...subject }) => ({
        ...subject,
        pictures: [] as SubjectScores['pictures'],
      }));
      for (const file of photographs) {
        const name = `${title}/${file.name}`;
        const original = await naming(name, file.read().then(decodePicture));
        for (const [j, { upscale }] of subjects.entries()) {
          onProgress(done++, total);
          // Computing blocks the thread; between two pictures a signal or the progress bar has its turn.
          await new Promise(setImmediate);
          signal.throwIfAborted();
          const measured = await naming(name, evaluatePicture(original, upscale));
          scores[j].pictures.push({ picture: file.name, ...measured });
        }
      }
      const measuredSubjects = scores.map((one) => ({ ...one, mean: meanScores(one.pictures) }));
      results.push({ set, images: places[i], subjects: measuredSubjects, published: publishedResults[set] ?? [] });
    }
    onProgress(total, total);
    return results;
  } finally {
    for (const { close } of sets) await close();
  }
}

async function openSet(place: string): Promise<OpenSet> {
  const source = await openSource(place);
  const { set, photographs } = choosePhotographs(source, partsInOrder);
  if (photographs.length === 0) {
    await source.close();
    throw new FourfoldError('invalid', `${source.title} holds no pictures to measure on`, {
      mend: 'name a folder, zip or tar of JPEG, PNG, WebP or TIFF pictures',
    });
  }
  const name = set ?? (basename(source.context.split('/')[0]) || place);
  return { set: name, title: source.title, photographs, close: () => source.close() };
}
