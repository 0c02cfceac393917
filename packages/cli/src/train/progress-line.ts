import { createRequire } from 'node:module';
import type { RunStatus__Output } from '@fourfold/rpc';
import { describeStatus, statusLine, type TrainingStatus } from './status-line.js';

/** How often a line is written where no terminal shows a bar. */
const plainIntervalMs = 10_000;

export interface ProgressLine {
  show(status: RunStatus__Output): void;
  /** Write a line that stays, above the bar. */
  note: (text: string) => void;
  stop(): void;
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
    {
      format: (_, { value, total }, { status }: { status: TrainingStatus }) =>
        statusLine(status, value / total, process.stderr.columns),
      hideCursor: true,
      stopOnComplete: false,
      fps: 4,
      linewrap: false,
    },
    cliProgress.Presets.shades_classic,
  );
  let started = false;
  return {
    show(status) {
      const payload = { status };
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
