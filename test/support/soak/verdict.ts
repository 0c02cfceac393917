import type { Held, Sample } from './sample.js';

/*
 * Whether what processes hold is flat: of those that live long by their trend, of all others by what an early and a late one of
 * the same role hold at the same age.
 */

/** One measure of one process, or of the processes of one role. */
export interface Verdict {
  what: string;
  measure: keyof Held;
  /** Means of the first and the last third of a life; of early and of late processes at equal age. */
  first: number;
  last: number;
  /** By how much the trend grows over the life; by how much late processes hold more than early ones. */
  growth: number;
  allowed: number;
  isFlat: boolean;
  /** The life in a line of blocks, from its least to its most. */
  chart: string;
}

/** Growth within a life, or from early to late processes, that counts as flat. */
const allowedGrowth: Record<keyof Held, (mean: number) => number> = {
  residentMib: (mean) => Math.max(32, mean / 10),
  // Connections break and are made again all the time.
  descriptors: (mean) => Math.max(4, mean / 10),
  // libvips' own threads (three or four) come when a picture is decoded, and go 15 s after the last.
  threads: () => 4,
};
const measures = Object.keys(allowedGrowth) as (keyof Held)[];
/**
 * Code is compiled, heaps grow to their size, and a worker meets, one after another, the kinds of work whose memory it keeps for the next time:
 * decoding, a half of each network, an evaluation beside a half. With one evaluation in several workers' turns that takes minutes.
 */
const warmupShare = 1 / 3;
/** A process that lives for such a share of the soak has a trend. */
const longShare = 0.4;
const leastSamples = 6;
const ageBucketSeconds = 20;

/** Verdicts over all that was sampled in a soak of so many seconds. */
export function verdictsOf(samples: readonly Sample[], seconds: number): Verdict[] {
  const lives = [...groupBy(samples, ({ name }) => name).values()].map((life) =>
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
  const begin = life[0].ageSeconds + lengthOf(life) * warmupShare;
  const warm = life.filter(({ ageSeconds }) => ageSeconds >= begin);
  const values = warm.map((sample) => sample[measure]);
  const third = Math.max(1, Math.floor(values.length / 3));
  const growth =
    slope(
      warm.map(({ ageSeconds }) => ageSeconds),
      values,
    ) * lengthOf(warm);
  const [first, last] = [mean(values.slice(0, third)), mean(values.slice(-third))];
  return judged(life[0].name, measure, { first, last, growth, values: life.map((sample) => sample[measure]) });
}

/** Least squares. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const [x0, y0] = [mean(xs), mean(ys)];
  const spread = xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
  return spread === 0 ? 0 : xs.reduce((sum, x, i) => sum + (x - x0) * (ys[i] - y0), 0) / spread;
}

/** Processes of a role that began in the first half beside those of the second; undefined where they have no age in common. */
function comparisonOf(
  role: string,
  lives: readonly Sample[][],
  measure: keyof Held,
  seconds: number,
): Verdict | undefined {
  const isEarly = ([{ atSeconds }]: Sample[]) => atSeconds < seconds / 2;
  const byAge = (those: readonly Sample[][]) =>
    groupBy(those.flat(), ({ ageSeconds }) => Math.floor(ageSeconds / ageBucketSeconds));
  const [early, late] = [byAge(lives.filter(isEarly)), byAge(lives.filter((life) => !isEarly(life)))];
  // The youngest are still starting.
  const ages = [...early.keys()].filter((age) => age > 0 && late.has(age)).sort((a, b) => a - b);
  if (ages.length === 0) return undefined;
  const valuesOf = (groups: Map<number, Sample[]>) =>
    ages.map((age) => mean((groups.get(age) ?? []).map((sample) => sample[measure])));
  const [first, last] = [mean(valuesOf(early)), mean(valuesOf(late))];
  const what = `${role}: late beside early ones`;
  return judged(what, measure, { first, last, growth: last - first, values: valuesOf(late) });
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
