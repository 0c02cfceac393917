import { createRequire } from 'node:module';
import type { RunStatus__Output } from '@fourfold/rpc';
import { formatCount, formatDuration } from '../terminal/table.js';

/** How often a line is written where no terminal shows a bar. */
const plainIntervalMs = 10_000;

export interface ProgressLine {
  show(status: RunStatus__Output): void;
  /** Write a line that stays, above the bar. */
  note: (text: string) => void;
  stop(): void;
}

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
  | 'evaluatedIteration'
>;

/** The run's state in words: phase, learning rate, losses, workers, PSNR. */
export function describeStatus(status: TrainingStatus): string {
  const { state, phase, phaseKind, iteration, iterations, iterationsPerSecond, losses, workers, psnr } = status;
  const left =
    iterationsPerSecond > 0 ? ` · ETA ${formatDuration(((iterations - iteration) * 1000) / iterationsPerSecond)}` : '';
  const terms = Object.entries(losses).map(([name, value]) => `${name} ${value.toPrecision(3)}`);
  return [
    state === 'training' ? `phase ${phase + 1} (${phaseKind})` : state,
    `${iteration}/${iterations}`,
    `${iterationsPerSecond.toPrecision(3)} it/s${left}`,
    ...terms,
    formatCount(workers, 'worker'),
    ...(psnr === undefined ? [] : [`PSNR ${psnr.toFixed(2)} dB at ${status.evaluatedIteration}`]),
  ].join(' · ');
}

/** A live progress line on stderr: a bar on a terminal, a plain line now and then elsewhere. */
export function createProgressLine(): ProgressLine {
  return process.stderr.isTTY ? createBar() : createPlainLines();
}

const require = createRequire(import.meta.url);

function createBar(): ProgressLine {
  // Loaded only for a terminal.
  const cliProgress = require('cli-progress') as typeof import('cli-progress');
  const bar = new cliProgress.SingleBar(
    { format: '{bar} {text}', barsize: 20, hideCursor: true, stopOnComplete: false, fps: 4, linewrap: false },
    cliProgress.Presets.shades_classic,
  );
  let started = false;
  return {
    show(status) {
      const payload = { text: describeStatus(status) };
      if (started) bar.update(status.iteration, payload);
      else bar.start(status.iterations, status.iteration, payload);
      started = true;
    },
    note(text) {
      if (started) process.stderr.write('\r\u001b[K');
      process.stderr.write(`${text}\n`);
    },
    stop: () => bar.stop(),
  };
}

function createPlainLines(): ProgressLine {
  let shownAt = -Infinity;
  let shownPhase = -1;
  let last: RunStatus__Output | undefined;
  let written = '';
  const write = (text: string) => process.stderr.write(`${text}\n`);
  return {
    show(status) {
      last = status;
      if (performance.now() - shownAt < plainIntervalMs && status.phase === shownPhase) return;
      shownAt = performance.now();
      shownPhase = status.phase;
      written = describeStatus(status);
      write(written);
    },
    note: write,
    stop() {
      const text = last && describeStatus(last);
      if (text !== undefined && text !== written) write(text);
      last = undefined;
    },
  };
}
