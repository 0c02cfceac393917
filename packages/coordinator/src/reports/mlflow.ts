import { FourfoldError, type RunConfig } from '@fourfold/common';
import { figuresOf, type NewHistory, type ReportTarget } from './figures.js';
import { createMlflowClient, type MlflowMetric } from './mlflow-client.js';

export interface MlflowOptions {
  /** Of the tracking server. */
  url: string;
  run: string;
  /** Where the run is: the same store is the same MLflow run. */
  store: string;
  config: RunConfig;
  history: NewHistory;
}

/** Figures that wait while the server is away; older ones are dropped. */
const mostWaiting = 10_000;
/** MLflow's limit. */
const metricsPerCall = 1_000;

/**
 * Log a run to MLflow: its config as parameters, its figures as metrics. A resumed run continues its MLflow run. The server is first
 * asked for when there is something to log; while it is away, figures wait.
 */
export function openMlflow({ url, run, store, config, history }: MlflowOptions): ReportTarget {
  const client = createMlflowClient(url, process.env);
  let waiting: MlflowMetric[] = [];
  let runId: string | undefined;

  /** The run's id on the server; a new run gets what has been measured so far. */
  async function begin(): Promise<string> {
    const experiment = await client.experiment();
    const found = await client.findRun(experiment, store);
    if (found !== undefined) {
      await client.setStatus(found, 'RUNNING');
      return found;
    }
    const created = await client.createRun(experiment, run, store);
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
    async close(state) {
      await send();
      if (runId !== undefined) await client.setStatus(runId, state === 'finished' ? 'FINISHED' : 'KILLED');
    },
  };
}

/** Throws `invalid` for what is not an address of a tracking server. */
export function checkMlflowUrl(url: string): void {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new FourfoldError('invalid', `--mlflow ${url} is not an http or https address`, {
      hint: 'name the tracking server, such as http://127.0.0.1:5000',
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
