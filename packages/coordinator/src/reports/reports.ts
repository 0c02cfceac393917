import { mkdir } from 'node:fs/promises';
import { FourfoldError, withDeadline, type RunConfig } from '@fourfold/common';
import type { History, ObjectStore } from '@fourfold/store';
import type { Housekeeping } from '../life/housekeeping.js';
import type { NewHistory, ReportTarget, RunEnd } from './figures.js';
import { checkMlflowUrl, openMlflow } from './mlflow.js';
import { openTensorboard } from './tensorboard.js';

export interface ReportOptions {
  /** TensorBoard's log folder. */
  tensorboard?: string;
  /** The address of an MLflow tracking server. */
  mlflow?: string;
}

export interface ReportParts extends ReportOptions {
  run: ObjectStore;
  config: RunConfig;
  /** Iterations that are done. */
  iteration: number;
  history: () => History;
  /** How the run has ended, when the reports are closed. */
  end: () => RunEnd;
  housekeeping: Housekeeping;
  /** How long closing may take. */
  closeMs?: number;
}

/** Writes what is new in a run's history to the targets, beside the training. */
export interface Reports {
  look(): void;
  close(): Promise<void>;
}

/** Check the options before a coordinator disturbs another. Throws `invalid` for a folder or an address that cannot be used. */
export async function checkReports({ tensorboard, mlflow }: ReportOptions): Promise<void> {
  if (mlflow !== undefined) checkMlflowUrl(mlflow);
  if (tensorboard === undefined) return;
  await mkdir(tensorboard, { recursive: true }).catch((cause: unknown) => {
    throw new FourfoldError('invalid', `--tensorboard ${tensorboard} cannot be written`, { cause });
  });
}

/** Open the targets, which `checkReports` has passed. One that fails does not stop a run. */
export async function openReports(parts: ReportParts): Promise<Reports> {
  const { tensorboard, mlflow, run, config, iteration, history, end, housekeeping, closeMs = 10_000 } = parts;
  const gaveUp = new AbortController();
  // A copy: the history grows, and what is new in it is added.
  const begun: NewHistory = { rows: [...history().rows], evaluations: [...history().evaluations] };
  const about = { run: config.name, history: begun };
  const targets: ReportTarget[] = [];
  await housekeeping.tend('reports', async () => {
    if (tensorboard !== undefined) targets.push(await openTensorboard({ ...about, iteration, folder: tensorboard }));
  });
  if (mlflow !== undefined) {
    targets.push(openMlflow({ ...about, url: mlflow, store: run.url, config, signal: gaveUp.signal }));
  }
  const feeds = targets.map((target) => createFeed(target, begun, history, housekeeping));

  return {
    look() {
      for (const feed of feeds) feed.look();
    },
    async close() {
      const closing = Promise.all(feeds.map((feed) => feed.close(end())));
      await housekeeping.tend('reports', async () => {
        await withDeadline(closing, closeMs, () => {
          gaveUp.abort();
          throw new FourfoldError('unavailable', `the last reports were not written within ${closeMs / 1000} s`);
        });
      });
    },
  };
}

/** Feeds a target with what is new in the history since `begun`. A slow target does not hold up another. */
function createFeed(target: ReportTarget, begun: NewHistory, history: () => History, housekeeping: Housekeeping) {
  let sent = { rows: begun.rows.length, evaluations: begun.evaluations.length };
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    const { rows, evaluations } = history();
    const news = { rows: rows.slice(sent.rows), evaluations: evaluations.slice(sent.evaluations) };
    if (news.rows.length + news.evaluations.length === 0) return;
    sent = { rows: rows.length, evaluations: evaluations.length };
    await housekeeping.tend('reports', () => target.add(news));
  }

  return {
    look() {
      writing ??= write().finally(() => (writing = undefined));
    },
    async close(end: RunEnd): Promise<void> {
      await writing;
      // What was done since the successor's beginning does not count.
      if (end !== 'superseded') await write();
      await housekeeping.tend('reports', () => target.close(end));
    },
  };
}
