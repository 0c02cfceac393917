import { FourfoldError, type RunConfig } from '@fourfold/common';
import { figuresOf, type NewHistory, type ReportTarget, type RunEnd } from './figures.js';
import { createMlflowClient, type MlflowMetric, type MlflowStatus } from './mlflow-client.js';

export interface MlflowOptions {
  /** Of the tracking server. */
  url: string;
  run: string;
  /** Where the run is: the same store is the same MLflow run. */
  store: string;
  config: RunConfig;
  /** What has been measured so far. */
  history: NewHistory;
  /** Aborted to give up calls of the server. */
  signal: AbortSignal;
}

/** Figures that wait while the server is away; older ones are dropped. */
const mostWaiting = 10_000;
/** MLflow's limit. */
const metricsPerCall = 1_000;

const statusAfter: Record<Exclude<RunEnd, 'superseded'>, MlflowStatus> = {
  finished: 'FINISHED',
  stopped: 'KILLED',
  failed: 'FAILED',
};

/**
 * Log a run to MLflow: its config as parameters, its figures as metrics. A resumed run continues its MLflow run. The server is first
 * asked for when there is something to log; while it is away, figures wait.
 */
export function openMlflow({ url, run, store, config, history, signal }: MlflowOptions): ReportTarget {
  const client = createMlflowClient(url, process.env, signal);
  let waiting: MlflowMetric[] = [];
  let runId: string | undefined;
  /** The server had no run of this store; one found later was created here, though its answer or what follows was lost. */
  let isNew = false;

  /** The run's id on the server; a new run gets what has been measured so far. */
  async function begin(): Promise<string> {
    const experiment = await client.experiment();
    const found = await client.findRun(experiment, store);
    if (found !== undefined && !isNew) {
      await client.setStatus(found, 'RUNNING');
      return found;
    }
    isNew = true;
    const created = found ?? (await client.createRun(experiment, run, store));
    await client.logParameters(created, parametersOf(config));
    waiting = [...metricsOf(history), ...waiting];
    return created;
  }

  async function send(): Promise<void> {
    runId ??= await begin();
    while (waiting.length > 0) {
      const batch = waiting.slice(0, metricsPerCall);
      await client.logMetrics(runId, batch);
      waiting = waiting.slice(batch.length);
    }
  }

  return {
    async add(news) {
      waiting = [...waiting, ...metricsOf(news)].slice(-mostWaiting);
      await send();
    },
    async close(end) {
      // The MLflow run is the successor's.
      if (end === 'superseded') return;
      await send();
      if (runId !== undefined) await client.setStatus(runId, statusAfter[end]);
    },
  };
}

/** Throws `invalid` for what is not an address of a tracking server, and for credentials in it, which logs would show. */
export function checkMlflowUrl(url: string): void {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new FourfoldError('invalid', `--mlflow ${url} is not an http or https address`, {
      hint: 'name the tracking server, such as http://127.0.0.1:5000',
    });
  }
  const { username, password, host } = new URL(url);
  if (username !== '' || password !== '') {
    throw new FourfoldError('invalid', `--mlflow with host ${host} contains credentials`, {
      hint: 'set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead',
    });
  }
}

/** JSON has no NaN or infinity, and MLflow's REST interface takes neither. */
const metricsOf = (news: NewHistory): MlflowMetric[] =>
  figuresOf(news).flatMap(({ iteration, values }) =>
    Object.entries(values)
      .filter(([, value]) => Number.isFinite(value))
      .map(([key, value]) => ({ key, value, step: iteration, timestamp: Date.now() })),
  );

/** A config's values by their paths. */
export function parametersOf(node: unknown, path = ''): { key: string; value: string }[] {
  if (node === undefined) return [];
  if (typeof node === 'string') return [{ key: path, value: node }];
  if (typeof node !== 'object' || node === null) return [{ key: path, value: JSON.stringify(node) }];
  return Object.entries(node).flatMap(([name, value]) => parametersOf(value, path === '' ? name : `${path}.${name}`));
}
