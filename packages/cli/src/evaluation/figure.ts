import { basename, extname } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import { cropPicture, type Picture, type Rectangle, type Scores } from '@fourfold/imaging';
import { drawComparison, richestDetail, type ComparisonRow } from '../report/comparison.js';
import { writeFigure } from '../report/write-figure.js';

/** How many pictures a figure shows if none are named. */
const defaultRows = 6;
/** Largest side of a crop in pixels, so that a row of crops stays viewable. */
const largestCrop = 1000;

export interface FigureOptions {
  /** The PNG. */
  file: string;
  /** Whether the file may be overwritten. */
  force: boolean;
  /** Names of pictures, with or without folder and extension; the first `defaultRows` that can be measured where there are none. */
  pictures: readonly string[];
  /** In pixels of the originals; default: the part in which the methods differ most from each other. */
  crop?: Rectangle;
}

/** A picture that was measured: the original, cropped to multiples of 4, and what each subject made of it. */
export interface MeasuredPicture {
  name: string;
  original: Picture;
  results: { name: string; sr: Picture; scores: Scores }[];
}

/** Collects the rows of a figure while pictures are measured. */
export interface Figure {
  /** Gets the names of all pictures before the first is measured. Throws `invalid` for a wanted one that is not among them. */
  choose(names: readonly string[]): void;
  /** Whether a picture is to be shown. */
  wants(name: string): boolean;
  add(picture: MeasuredPicture): void;
  /**
   * Draw the rows, in the order in which they were measured, and write the file. Throws `invalid` if there is no row, or if the crop is
   * not within one of the pictures: not earlier, since measuring takes long.
   */
  write(): Promise<void>;
}

/** A figure as in papers: the original with the crop marked, then the crop by each method, PSNR and SSIM below. */
export function createFigure({ file, force, pictures, crop }: FigureOptions): Figure {
  const rows: ComparisonRow[] = [];
  let refusal: Error | undefined;
  let chosen = new Set<string>();
  let added = 0;
  return {
    choose(names) {
      chosen = new Set(pictures.flatMap(named(names)));
    },
    wants: (name) => (pictures.length === 0 ? added < defaultRows : chosen.has(name)),
    add(picture) {
      added++;
      try {
        rows.push(rowOf(picture, crop));
      } catch (error) {
        refusal ??= error as Error;
      }
    },
    async write() {
      if (refusal) throw refusal;
      if (rows.length === 0) {
        throw new FourfoldError('invalid', `${file}: no picture of the figure could be measured`, {
          hint: 'name other pictures: --figure-pictures NAME…',
        });
      }
      await writeFigure(file, drawComparison(rows), { force });
    },
  };
}

/** The pictures that a name means: by the whole name, its last part, or that part without the extension. */
const named = (names: readonly string[]) => (wanted: string) => {
  const found = names.filter((name) => [name, basename(name), basename(name, extname(name))].includes(wanted));
  if (found.length > 0) return found;
  const some = names.slice(0, 10).map((name) => basename(name));
  throw new FourfoldError('invalid', `--figure-pictures is ${wanted}: no picture of this name is measured`, {
    hint: `there are ${some.join(', ')}${names.length > some.length ? ` and ${names.length - some.length} more` : ''}`,
  });
};

function rowOf({ name, original, results }: MeasuredPicture, crop: Rectangle | undefined): ComparisonRow {
  const methods = results.map(({ sr }) => sr);
  const shown = crop ?? richestDetail(methods.length > 1 ? methods : [original, ...methods]);
  const { left, top, width, height } = shown;
  if (left + width > original.width || top + height > original.height) {
    throw new FourfoldError('invalid', `--crop is ${left},${top},${width},${height}: it must be within ${name}`, {
      hint: `it has ${original.width}x${original.height} pixels`,
    });
  }
  const details = results.map(({ name: title, sr, scores }) => ({ title, detail: cropPicture(sr, shown), scores }));
  return {
    name: basename(name, extname(name)),
    note: `${width}x${height} at ${left}, ${top}`,
    original,
    shown,
    columns: [...details, { title: 'original', detail: cropPicture(original, shown) }],
  };
}

/** `x,y,width,height` in pixels. Throws `invalid`. */
export function parseCrop(text: string): Rectangle {
  const [, ...numbers] = /^(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})$/.exec(text) ?? [];
  const [left, top, width, height] = numbers.map(Number);
  if (numbers.length === 0 || Math.min(width, height) < 1 || Math.max(width, height) > largestCrop) {
    throw new FourfoldError(
      'invalid',
      `--crop is ${text}: it must be x,y,width,height in pixels, at most ${largestCrop} wide and high`,
      {
        hint: 'for example 120,40,96,96',
      },
    );
  }
  return { left, top, width, height };
}
