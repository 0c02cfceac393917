import { highestPsnr, type LpipsChoice } from '@fourfold/common';
import type { Scores } from '@fourfold/imaging';
import { describeLeft } from '../terminal/left-files.js';
import { formatCount, formatTable } from '../terminal/table.js';
import type { SetEvaluation } from './evaluate-sets.js';
import { publishedIn, publishedPictures } from './published.js';

export const evaluationFormats = ['text', 'markdown', 'csv'] as const;
export type EvaluationFormat = (typeof evaluationFormats)[number];

/** PSNR and SSIM as papers print them, and LPIPS where a table has it. */
const cells = ({ psnr, ssim, lpips }: Scores, withLpips = false): string[] => [
  psnr.toFixed(2),
  ssim.toFixed(4),
  ...(withLpips ? [lpips?.toFixed(4) ?? ''] : []),
];

/** The evaluations of all sets in a format; `network` is that of LPIPS, if it was measured. */
export function describeSets(sets: readonly SetEvaluation[], format: EvaluationFormat, network?: LpipsChoice): string {
  const lpips = network && `LPIPS (${network})`;
  if (format === 'csv') return csvOf(sets, network && `lpips_${network}`);
  return sets.map((set) => tableOf(set, { isTitled: sets.length > 1, lpips }, format)).join('\n\n');
}

/**
 * Notes on which files of the sets were not measured, why the paper's results are missing beside one of its sets, and which
 * means hold capped values; empty if all is as expected.
 */
export function describeOmissions(sets: readonly SetEvaluation[]): string[] {
  return sets.flatMap(({ set, part, subjects, published, left, damaged }) => {
    const whole = publishedPictures[set];
    const measured = subjects[0].pictures.length;
    const ofPart = part === undefined ? '' : ` (its ${part} part)`;
    return [
      ...(left.length > 0 ? [`${set}${ofPart}: left out ${left.length}:`, describeLeft(left)] : []),
      ...(damaged.length > 0
        ? [`${set}: ${formatCount(damaged.length, 'picture')} cannot be measured:`, describeLeft(damaged)]
        : []),
      ...(whole !== undefined && published.length === 0
        ? [
            `${set}: the paper's means are of ${whole} pictures and these of ${measured}, so they are not shown side by side`,
          ]
        : []),
      ...subjects
        .filter(({ identical }) => identical > 0)
        .map(
          ({ name, identical }) =>
            `${set}: ${identical} of ${measured} pictures by ${name} are identical to their originals, or nearly; their PSNR, higher or infinite, counts as ${highestPsnr} dB`,
        ),
    ];
  });
}

/** One line per picture, then the means, two columns per subject; then the paper's results on the set. */
function tableOf(
  evaluation: SetEvaluation,
  { isTitled, lpips }: { isTitled: boolean; lpips?: string },
  format: 'text' | 'markdown',
): string {
  const { set, subjects, published } = evaluation;
  const single = subjects.length === 1;
  const head = subjects.flatMap(({ name }) => [single ? 'PSNR dB' : `${name} dB`, 'SSIM', ...(lpips ? [lpips] : [])]);
  const rows = [
    ['picture', ...head],
    ...subjects[0].pictures.map(({ picture }, i) => [
      picture,
      ...subjects.flatMap(({ pictures }) => cells(pictures[i], lpips !== undefined)),
    ]),
    ['mean', ...subjects.flatMap(({ mean }) => cells(mean, lpips !== undefined))],
  ];
  const tables = [render(rows, format)];
  if (published.length > 0) tables.push(render(comparison(evaluation), format));
  if (isTitled) tables.unshift(format === 'markdown' ? `### ${set}` : `${set}:`);
  return tables.join(format === 'markdown' ? '\n\n' : '\n');
}

/** Our means and the published ones, those of one method or variant beside each other. */
function comparison({ set, subjects, published }: SetEvaluation): string[][] {
  const ofMethod = (method: string) => subjects.filter(({ name, variant }) => (variant ?? name) === method);
  const rows = published.flatMap((theirs) => {
    const ours = ofMethod(theirs.method);
    const beside = [...cells(theirs), theirs.mos.toFixed(2)];
    if (ours.length === 0) return [[theirs.method, '', '', ...beside]];
    return ours.map(({ name, mean }) => [
      name === theirs.method ? name : `${name} (${theirs.method})`,
      ...cells(mean),
      ...beside,
    ]);
  });
  const others = subjects
    .filter((subject) => !published.some(({ method }) => ofMethod(method).includes(subject)))
    .map(({ name, mean }) => [name, ...cells(mean), '', '', '']);
  return [[set, 'PSNR dB', 'SSIM', `${publishedIn}: PSNR dB`, 'SSIM', 'MOS'], ...rows, ...others];
}

function render(rows: string[][], format: 'text' | 'markdown'): string {
  const alignments = rows[0].map((_, column) => (column === 0 ? ('left' as const) : ('right' as const)));
  if (format === 'text') return formatTable(rows, alignments);
  const line = (row: string[]) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = line(alignments.map((alignment) => (alignment === 'left' ? '---' : '---:')));
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}

/** One line per picture and method, the means as pictures named `mean`, the paper's results as separate sources; unrounded. */
function csvOf(sets: readonly SetEvaluation[], lpipsColumn?: string): string {
  const lines = [['set', 'picture', 'method', 'psnr_db', 'ssim', 'source', ...(lpipsColumn ? [lpipsColumn] : [])]];
  for (const { set, subjects, published } of sets) {
    const add = (picture: string, method: string, { psnr, ssim, lpips }: Scores, source: string) =>
      lines.push([
        set,
        picture,
        method,
        String(psnr),
        String(ssim),
        source,
        ...(lpipsColumn ? [String(lpips ?? '')] : []),
      ]);
    for (const { name, pictures, mean } of subjects) {
      for (const scores of pictures) add(scores.picture, name, scores, 'measured');
      add('mean', name, mean, 'measured');
    }
    for (const theirs of published) add('mean', theirs.method, theirs, publishedIn);
  }
  return lines.map((line) => line.map(quoted).join(',')).join('\n');
}

/** A cell as in RFC 4180. */
const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
