import { openStore } from '@fourfold/store';
import { formatTable } from '../terminal/table.js';
import { readAllRatings } from './ratings.js';
import { opinionsOf, raterReports, type Opinion, type RaterReport } from './statistics.js';
import { readStudy } from './study.js';

export interface StudyReport {
  study: string;
  opinions: Opinion[];
  raters: RaterReport[];
}

/** The ratings so far of the study in a folder. */
export async function reportStudy(folder: string): Promise<StudyReport> {
  const study = await readStudy(openStore(folder));
  const ratings = await readAllRatings(folder);
  return { study: study.name, opinions: opinionsOf(study, ratings), raters: raterReports(study, ratings) };
}

/** A report as tables: methods, then raters. */
export function describeReport({ opinions, raters }: StudyReport): string {
  const shown = (value: number | undefined, digits = 2) => (value === undefined ? '' : value.toFixed(digits));
  const methods = formatTable(
    [
      ['method', 'MOS', '95%', 'ratings', '1', '2', '3', '4', '5'],
      ...opinions.map(({ method, mean, interval, ratings, distribution }) => [
        method,
        ratings ? shown(mean) : '',
        interval === undefined ? '' : `± ${shown(interval)}`,
        String(ratings),
        ...distribution.map(String),
      ]),
    ],
    ['left', ...Array<'right'>(8).fill('right')],
  );
  const people = formatTable(
    [
      ['rater', 'trials', 'repeats', 'the same', 'difference', 'calibration off by', 'pixel ratio'],
      ...raters.map(({ rater, done, repeats, equalShare, meanDifference, calibrationError, pixelRatios }) => [
        rater,
        String(done),
        String(repeats),
        equalShare === undefined ? '' : `${Math.round(100 * equalShare)}%`,
        shown(meanDifference),
        shown(calibrationError),
        pixelRatios.map((ratio) => shown(ratio)).join(', '),
      ]),
    ],
    ['left', ...Array<'right'>(6).fill('right')],
  );
  return `${methods}\n\n${people}`;
}
