import type { RunStatus__Output } from '@fourfold/rpc';
import { filledOf } from '../terminal/progress-bar.js';
import { formatCount, formatDuration } from '../terminal/table.js';

/** What a line about a run shows. */
export type TrainingStatus = Pick<
  RunStatus__Output,
  | 'state'
  | 'phase'
  | 'phaseKind'
  | 'iteration'
  | 'iterations'
  | 'iterationsPerSecond'
  | 'losses'
  | 'workers'
  | 'psnr'
  | 'bicubicPsnr'
  | 'evaluatedIteration'
>;

/** A part of the line. */
interface Part {
  text: string;
  /** On a narrow terminal, parts become shorter or go in this order; those without it stay. */
  goes?: number;
  /** What it becomes then. */
  short?: string;
}

const separator = ' · ';
const widestBar = 20;
const narrowestBar = 8;

/** The run's state in words: phase, pace, losses, workers, PSNR. What matters least goes first if it is wider than `columns`. */
export function describeStatus(status: TrainingStatus, columns = Infinity): string {
  let parts = partsOf(status);
  const order = parts.flatMap(({ goes }) => goes ?? []).sort((a, b) => a - b);
  for (const next of order) {
    if (textOf(parts).length <= columns) break;
    parts = parts.flatMap((part) => {
      if (part.goes !== next) return [part];
      return part.short === undefined ? [] : [{ text: part.short }];
    });
  }
  return textOf(parts);
}

/** The same with a bar in front, if there is room for one; `done` is the share that is done. */
export function statusLine(status: TrainingStatus, done: number, columns: number): string {
  // A character in the last column would break the line on some terminals.
  const width = columns - 1;
  const text = describeStatus(status, width);
  const barWidth = Math.min(widestBar, width - text.length - 1);
  if (barWidth < narrowestBar) return text;
  const filled = filledOf(barWidth, done);
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${text}`;
}

const textOf = (parts: readonly Part[]): string => parts.map(({ text }) => text).join(separator);

function partsOf(status: TrainingStatus): Part[] {
  const { state, phase, phaseKind, iteration, iterations, iterationsPerSecond, workers } = status;
  const remainingMs = ((iterations - iteration) * 1000) / iterationsPerSecond;
  return [
    state === 'training' ? { text: `phase ${phase + 1} (${phaseKind})`, goes: 15, short: phaseKind } : { text: state },
    { text: `${iteration}/${iterations}` },
    { text: `${iterationsPerSecond.toPrecision(3)} it/s`, goes: 20 },
    ...(iterationsPerSecond > 0 ? [{ text: `ETA ${formatDuration(remainingMs)}`, goes: 30 }] : []),
    ...lossesOf(status),
    { text: formatCount(workers, 'worker') },
    ...psnrOf(status),
  ];
}

/** Losses by name; a sum of one loss is that loss. */
function lossesOf({ losses: { total, ...parts } }: TrainingStatus): Part[] {
  const isSum = total !== undefined && total !== parts['content'];
  const shown = { ...(isSum && { total }), ...parts };
  // The sum, or the only loss, is the last to go.
  return Object.entries(shown).map(([name, value], i) => ({
    text: `${words(name)} ${value.toPrecision(3)}`,
    goes: i === 0 ? 10 : 10 - i,
  }));
}

function psnrOf({ psnr, bicubicPsnr, evaluatedIteration }: TrainingStatus): Part[] {
  if (psnr === undefined) return [];
  const bicubic = bicubicPsnr === undefined ? '' : ` (bicubic ${bicubicPsnr.toFixed(2)})`;
  const text = `PSNR ${psnr.toFixed(2)}`;
  return [{ text: `${text} dB at ${evaluatedIteration}${bicubic}`, goes: 11, short: `${text}${bicubic}` }];
}

/** `discriminatorReal` as `discriminator real`. */
const words = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
