import { mkdir } from 'node:fs/promises';
import { FourfoldError, type RunConfig } from '@fourfold/common';
import type { History, ObjectStore } from '@fourfold/store';
import type { Housekeeping } from '../life/housekeeping.js';
import type { ReportTarget } from './figures.js';
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
  state: () => string;
  housekeeping: Housekeeping;
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
  const { tensorboard, mlflow, run, config, iteration, history, state, housekeeping } = parts;
  const targets: ReportTarget[] = [];
  const about = { run: config.name, history: history() };
  await housekeeping.tend('reports', async () => {
    if (tensorboard !== undefined) targets.push(await openTensorboard({ ...about, iteration, folder: tensorboard }));
  });
  if (mlflow !== undefined) targets.push(openMlflow({ ...about, url: mlflow, store: run.url, config }));
  let sent = { rows: about.history.rows.length, evaluations: about.history.evaluations.length };
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    const { rows, evaluations } = history();
    const news = { rows: rows.slice(sent.rows), evaluations: evaluations.slice(sent.evaluations) };
    if (news.rows.length + news.evaluations.length === 0) return;
    sent = { rows: rows.length, evaluations: evaluations.length };
    for (const target of targets) await housekeeping.tend('reports', () => target.add(news));
  }

  return {
    look() {
      if (targets.length > 0) writing ??= write().finally(() => (writing = undefined));
    },
    async close() {
      await writing;
      await write();
      for (const target of targets) await housekeeping.tend('reports', () => target.close(state()));
    },
  };
}
