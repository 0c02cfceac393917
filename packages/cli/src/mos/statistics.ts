import jstat from 'jstat';
import type { Rating } from './ratings.js';
import { scores, type Study } from './study.js';

/** The ratings of a method. */
export interface Opinion {
  method: string;
  ratings: number;
  /** The mean opinion score. */
  mean: number;
  /** Half the width of its 95% interval (Student's t, each rating counted by itself); undefined for a single rating. */
  interval?: number;
  /** How often each score was given, from 1 to 5. */
  distribution: number[];
}

/** How consistent a rater is. */
export interface RaterReport {
  rater: string;
  /** Of all trials. */
  done: number;
  /** Versions shown twice: how much the two scores differ on average, and the share of equal ones. */
  repeats: number;
  meanDifference?: number;
  equalShare?: number;
  /** Of the displays used, in ascending order; empty if unknown. */
  pixelRatios: number[];
  /** Mean distance of the calibration's scores from the expected ones. */
  calibrationError?: number;
}

/** Opinions by method, in the study's order. Calibration and repeats do not count. */
export function opinionsOf(study: Study, ratings: ReadonlyMap<string, readonly Rating[]>): Opinion[] {
  const methodOf = new Map(study.versions.map(({ id, method }) => [id, method]));
  const given = [...ratings.values()].flat().filter(({ kind }) => kind === 'rating');
  return study.methods.map((method) => {
    const values = given.filter(({ version }) => methodOf.get(version) === method).map(({ score }) => score);
    return {
      method,
      ratings: values.length,
      mean: meanOf(values),
      interval: intervalOf(values),
      distribution: scores.map((score) => values.filter((value) => value === score).length),
    };
  });
}

/** Each rater's consistency. */
export function raterReports(study: Study, ratings: ReadonlyMap<string, readonly Rating[]>): RaterReport[] {
  const expectedOf = new Map(study.calibration.map(({ id, expected }) => [id, expected]));
  return [...ratings].map(([rater, given]) => {
    const firsts = new Map(given.filter(({ kind }) => kind === 'rating').map(({ version, score }) => [version, score]));
    const differences = given
      .filter(({ kind }) => kind === 'repeat')
      .map(({ version, score }) => Math.abs(score - (firsts.get(version) ?? NaN)));
    const errors = given
      .filter(({ kind }) => kind === 'calibration')
      .map(({ version, score }) => Math.abs(score - (expectedOf.get(version) ?? NaN)));
    return {
      rater,
      done: given.length,
      repeats: differences.length,
      pixelRatios: [...new Set(given.flatMap(({ pixelRatio }) => pixelRatio ?? []))].sort((a, b) => a - b),
      ...(differences.length > 0 && {
        meanDifference: meanOf(differences),
        equalShare: differences.filter((difference) => difference === 0).length / differences.length,
      }),
      ...(errors.length > 0 && { calibrationError: meanOf(errors) }),
    };
  });
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function intervalOf(values: readonly number[]): number | undefined {
  const n = values.length;
  if (n < 2) return undefined;
  const mean = meanOf(values);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return jstat.studentt.inv(0.975, n - 1) * Math.sqrt(variance / n);
}
