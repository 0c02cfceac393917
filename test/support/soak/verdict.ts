import type { Held, Sample } from './sample.js';

/*
 * Whether what processes hold is flat: long-lived ones by their trend, all others by comparing early and late ones of
 * the same role after the same amount of work. Work is measured in processor time: on a busy machine an old process may
 * not have warmed up yet. A process is looked at from the moment when it has met every kind of work of its role.
 */

/** One measure of one process, or of the processes of one role. */
export interface Verdict {
  what: string;
  measure: keyof Held;
  /** Means of the first and the last third of a life; of early and of late processes that have done as much. */
  first: number;
  last: number;
  /** By how much the trend grows over the life; or by how much late processes hold more than early ones. */
  growth: number;
  allowed: number;
  isFlat: boolean;
  /** The life as a line of blocks, scaled from its least to its most. */
  chart: string;
}

/** Growth within a life, or from early to late processes, that counts as flat. */
const allowedGrowth: Record<keyof Held, (mean: number) => number> = {
  residentMib: (mean) => Math.max(32, mean / 10),
  // Connections break and are remade all the time.
  descriptors: (mean) => Math.max(4, mean / 10),
  // libvips' own threads (three or four) come when a picture is decoded, and go 15 s after the last.
  threads: () => 4,
};
const measures = Object.keys(allowedGrowth) as (keyof Held)[];
/** Code is compiled and heaps grow to their size, also after a process has met each kind of work once. */
const warmupShare = 1 / 3;
/** A process has a trend if it lives for at least this share of the soak. */
const longShare = 0.4;
const leastSamples = 6;
/** Steps of work at which early and late processes are compared. */
const comparedSteps = 15;

/** Verdicts on all samples of a soak of `seconds` seconds. */
export function verdictsOf(samples: readonly Sample[], seconds: number): Verdict[] {
  const warm = samples.filter(({ isWarm }) => isWarm);
  const lives = [...groupBy(warm, ({ name }) => name).values()].map((life) =>
    life.toSorted((a, b) => a.ageSeconds - b.ageSeconds),
  );
  const isLong = (life: Sample[]) => lengthOf(life) >= longShare * seconds && life.length >= leastSamples;
  const trends = lives.filter(isLong).flatMap((life) => measures.map((measure) => trendOf(life, measure)));
  const roles = [...groupBy(lives, ([{ role }]) => role)];
  const atEqualAge = roles.flatMap(([role, those]) =>
    measures.flatMap((measure) => comparisonOf(role, those, measure, seconds) ?? []),
  );
  return [...trends, ...atEqualAge];
}

function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

const lengthOf = (life: readonly Sample[]): number => (life.at(-1)?.ageSeconds ?? 0) - life[0].ageSeconds;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function trendOf(life: Sample[], measure: keyof Held): Verdict {
  const begin = (life.at(-1)?.cpuSeconds ?? 0) * warmupShare;
  const warm = life.filter(({ cpuSeconds }) => cpuSeconds >= begin);
  const values = warm.map((sample) => sample[measure]);
  const third = Math.max(1, Math.floor(values.length / 3));
  const growth =
    slope(
      warm.map(({ cpuSeconds }) => cpuSeconds),
      values,
    ) *
    (warm[warm.length - 1].cpuSeconds - warm[0].cpuSeconds);
  const [first, last] = [mean(values.slice(0, third)), mean(values.slice(-third))];
  return judged(life[0].name, measure, { first, last, growth, values: life.map((sample) => sample[measure]) });
}

/** Least squares. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const [x0, y0] = [mean(xs), mean(ys)];
  const spread = xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
  return spread === 0 ? 0 : xs.reduce((sum, x, i) => sum + (x - x0) * (ys[i] - y0), 0) / spread;
}

/**
 * Compares the processes of a role that began in the first half with those of the second; undefined if no step of work is
 * common to both.
 */
function comparisonOf(
  role: string,
  lives: readonly Sample[][],
  measure: keyof Held,
  seconds: number,
): Verdict | undefined {
  const early = lives.filter(([{ atSeconds }]) => atSeconds < seconds / 2).flat();
  const late = lives.filter(([{ atSeconds }]) => atSeconds >= seconds / 2).flat();
  const mostOf = (samples: readonly Sample[]) => Math.max(0, ...samples.map(({ cpuSeconds }) => cpuSeconds));
  const stepSeconds = Math.min(mostOf(early), mostOf(late)) / comparedSteps;
  const byStep = (samples: readonly Sample[]) =>
    groupBy(samples, ({ cpuSeconds }) => Math.floor(cpuSeconds / stepSeconds));
  const [earlyBySteps, lateBySteps] = [byStep(early), byStep(late)];
  // The youngest are still starting.
  const steps = [...earlyBySteps.keys()].filter((step) => step > 0 && lateBySteps.has(step)).sort((a, b) => a - b);
  if (steps.length === 0) return undefined;
  const valuesOf = (groups: Map<number, Sample[]>) =>
    steps.map((step) => mean((groups.get(step) ?? []).map((sample) => sample[measure])));
  const [first, last] = [mean(valuesOf(earlyBySteps)), mean(valuesOf(lateBySteps))];
  const what = `${role}: late beside early ones`;
  return judged(what, measure, { first, last, growth: last - first, values: valuesOf(lateBySteps) });
}

function judged(
  what: string,
  measure: keyof Held,
  { first, last, growth, values }: { first: number; last: number; growth: number; values: readonly number[] },
): Verdict {
  const allowed = allowedGrowth[measure](first);
  return { what, measure, first, last, growth, allowed, isFlat: growth <= allowed, chart: chartOf(values) };
}

const blocks = '▁▂▃▄▅▆▇█';
const chartWidth = 40;

function chartOf(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const width = Math.min(chartWidth, values.length);
  const columns = Array.from({ length: width }, (_, i) =>
    mean(values.slice(Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width))),
  );
  return columns
    .map((value) => blocks[most === least ? 0 : Math.round(((value - least) / (most - least)) * (blocks.length - 1))])
    .join('');
}

/** The verdicts as lines to read. */
export function describeVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ what, measure, first, last, growth, allowed, isFlat, chart }) => [
    what,
    measure,
    first.toFixed(1),
    last.toFixed(1),
    `${growth >= 0 ? '+' : ''}${growth.toFixed(1)} of ${allowed.toFixed(1)}`,
    isFlat ? 'flat' : 'GROWS',
    chart,
  ]);
  const table = [['process', 'holds', 'first', 'last', 'growth', '', 'from its least to its most'], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  return table
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
