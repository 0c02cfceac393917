import { createRequire } from 'node:module';
import { formatClock } from './table.js';

/** Shows the progress of a task of known length. */
export interface ProgressBar {
  /** `done` of the task's units are done; `detail` stands at the end of the line. */
  update(done: number, total: number, detail: string): void;
  /** Leave the terminal ready for further output. */
  stop(): void;
}

const millisecondsBetweenLines = 10_000;

/**
 * Progress on stderr: a bar with rate and ETA on a terminal, elsewhere a plain line now and then. `unit` is what is
 * counted, in the plural.
 */
export function createProgressBar(task: string, unit: string): ProgressBar {
  return process.stderr.isTTY ? terminalBar(task, unit) : plainLines(task, unit);
}

const require = createRequire(import.meta.url);

function terminalBar(task: string, unit: string): ProgressBar {
  // Loaded only for a terminal.
  const cliProgress = require('cli-progress') as typeof import('cli-progress');
  const pace = createPace();
  const bar = new cliProgress.SingleBar({
    format: (_, { value, total }, { pace, detail }: { pace: string; detail: string }) =>
      barLine(task, value / total, `${value}/${total} ${unit}  ${pace}  ${detail}`, process.stderr.columns),
    hideCursor: true,
    linewrap: false,
    stream: process.stderr,
  });
  let started = false;
  return {
    update(done, total, detail) {
      const payload = { pace: pace(done, total), detail };
      if (!started) bar.start(total, done, payload);
      else bar.update(done, payload);
      started = true;
    },
    stop: () => bar.stop(),
  };
}

const widestBar = 24;
const narrowestBar = 6;

/** A line that fits in `columns`: the bar becomes shorter or goes, then the text is cut at its end. */
export function barLine(task: string, done: number, text: string, columns: number): string {
  // A character in the last column would break the line on some terminals.
  const room = columns - 1 - `${task} [] ${text.trimEnd()}`.length;
  if (room < narrowestBar) return `${task} ${text.trimEnd()}`.slice(0, columns - 1);
  const width = Math.min(widestBar, room);
  return `${task} [${'='.repeat(filledOf(width, done)).padEnd(width)}] ${text.trimEnd()}`;
}

/** How many of a bar's `width` characters are filled; `done` is the share that is done. */
export const filledOf = (width: number, done: number): number => Math.round(width * Math.min(1, Math.max(0, done)));

function plainLines(task: string, unit: string): ProgressBar {
  const pace = createPace();
  let printedAt = performance.now();
  return {
    update(done, total, detail) {
      if (performance.now() - printedAt < millisecondsBetweenLines) return;
      printedAt = performance.now();
      console.error(`${task}: ${done}/${total} ${unit}  ${pace(done, total)}  ${detail}`.trimEnd());
    },
    stop: () => undefined,
  };
}

/** Rate since the first call, and the time that the rest takes at it. */
function createPace(): (done: number, total: number) => string {
  let start: { at: number; done: number } | undefined;
  return (done, total) => {
    start ??= { at: performance.now(), done };
    const elapsedMs = performance.now() - start.at;
    const perSecond = ((done - start.done) * 1000) / elapsedMs;
    if (!(perSecond > 0) || !Number.isFinite(perSecond)) return '';
    return `${perSecond < 10 ? perSecond.toPrecision(2) : perSecond.toFixed(0)}/s  ETA ${formatClock(((total - done) * 1000) / perSecond)}`;
  };
}
