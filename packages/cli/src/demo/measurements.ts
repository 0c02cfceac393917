import { basename, extname } from 'node:path';
import { cropPicture, cropToMultiple, type Picture, evaluatePicture, type Scores } from '@fourfold/imaging';
import { openMeasuredSet } from '@fourfold/data-loader';
import { evaluationTable, type EvaluationTable } from '../evaluation-table.js';
import { richestDetail, type ComparisonRow } from '../report/comparison.js';
import { formatTable } from '../terminal/table.js';

/** A way of upscaling, with the name that reports give it. */
export interface Method {
  name: string;
  upscale: (lr: Picture) => Picture | Promise<Picture>;
}

/** What the methods made of one picture, in their order. */
export interface Measurement {
  picture: string;
  original: Picture;
  results: { method: string; sr: Picture; scores: Scores }[];
}

/** Measure every method on a set's pictures, at most `most` of them. Rejects with the signal's reason between two of them. */
export async function measureMethods(
  images: string,
  methods: readonly Method[],
  { most, signal }: { most: number; signal: AbortSignal },
): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  const set = await openMeasuredSet(images);
  for (const photograph of set.photographs.slice(0, most)) {
    const original = cropToMultiple(await set.decode(photograph), 4);
    const results: Measurement['results'] = [];
    for (const { name, upscale } of methods) {
      // Computing blocks the thread: signals get a turn between pictures.
      await new Promise(setImmediate);
      signal.throwIfAborted();
      let sr = original;
      const scores = await evaluatePicture(original, async (lr) => (sr = await upscale(lr)));
      results.push({ method: name, sr, scores });
    }
    measurements.push({ picture: photograph.name, original, results });
  }
  await set.close();
  return measurements;
}

/** Each method's scores, picture by picture and their means. */
export function tablesByMethod(measurements: readonly Measurement[]): Record<string, EvaluationTable> {
  return Object.fromEntries(
    measurements[0].results.map(({ method }, i) => {
      const pictures = measurements.map(({ picture, results }) => ({ picture, ...results[i].scores }));
      return [method, evaluationTable(pictures)];
    }),
  );
}

/** The methods' means as a table, with their gains over bicubic. */
export function describeMeans(tables: Record<string, EvaluationTable>): string {
  const rows = Object.entries(tables).map(([method, { mean }]) => {
    const gain = mean.psnr - tables['bicubic'].mean.psnr;
    return [method, mean.psnr.toFixed(2), mean.ssim.toFixed(4), `${gain < 0 ? '' : '+'}${gain.toFixed(2)} dB`];
  });
  return formatTable([['method', 'PSNR dB', 'SSIM', 'over bicubic'], ...rows], ['left', 'right', 'right', 'right']);
}

/** The part of each picture where bicubic loses most, by every method of `shown`, with the original last. */
export function comparisonRows(measurements: readonly Measurement[], shown: Record<string, string>): ComparisonRow[] {
  return measurements.map(({ picture, original, results }) => {
    const resultOf = (name: string) => results.filter(({ method }) => method === name);
    const [bicubic] = resultOf('bicubic');
    const region = richestDetail([original, bicubic.sr]);
    return {
      name: basename(picture, extname(picture)),
      original,
      shown: region,
      columns: [
        ...Object.entries(shown).flatMap(([method, title]) =>
          resultOf(method).map(({ sr, scores }) => ({ title, detail: cropPicture(sr, region), scores })),
        ),
        { title: 'original', detail: cropPicture(original, region) },
      ],
    };
  });
}
