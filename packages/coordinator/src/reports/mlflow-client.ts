import { FourfoldError, type Environment } from '@fourfold/common';
import { z } from '@fourfold/common/zod';

/*
 * The few calls of MLflow's REST interface (2.0) that a run needs.
 */

export interface MlflowMetric {
  key: string;
  value: number;
  step: number;
  /** Unix time in milliseconds. */
  timestamp: number;
}

export type MlflowStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED';

const deadlineMs = 10_000;
/** MLflow's limits. */
const parametersPerCall = 100;
const longestParameter = 500;
/** The tag that says which of fourfold's runs an MLflow run is. */
const storeTag = 'fourfold.store';

const experimentAnswer = z.object({ experiment: z.object({ experiment_id: z.string() }) });
const createdExperiment = z.object({ experiment_id: z.string() });
const createdRun = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const foundRuns = z.object({
  runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })).default([]),
});

/**
 * A client of the tracking server at `url`. Credentials and the experiment's name are taken from the variables of MLflow's own
 * clients. Its methods throw `unavailable` if the server does not answer or `signal` is aborted, and `refused` with its message.
 */
export function createMlflowClient(url: string, environment: Environment, signal: AbortSignal) {
  const experimentName = environment['MLFLOW_EXPERIMENT_NAME'] ?? 'fourfold';
  const call = createCall(url, environment, signal);
  return {
    /** The id of the experiment, which is created if it does not exist. */
    async experiment(): Promise<string> {
      const asked = { experiment_name: experimentName };
      try {
        return (await call('GET', 'experiments/get-by-name', asked, experimentAnswer)).experiment.experiment_id;
      } catch (error) {
        if (!(error instanceof FourfoldError) || error.code !== 'not-found') throw error;
        return (await call('POST', 'experiments/create', { name: experimentName }, createdExperiment)).experiment_id;
      }
    },
    /** The id of the MLflow run of fourfold's run at `store`, if there is one. */
    async findRun(experiment: string, store: string): Promise<string | undefined> {
      const filter = `tags.\`${storeTag}\` = '${tagOf(store)}'`;
      const asked = { experiment_ids: [experiment], filter, max_results: 1 };
      return (await call('POST', 'runs/search', asked, foundRuns)).runs[0]?.info.run_id;
    },
    async createRun(experiment: string, name: string, store: string): Promise<string> {
      const tags = [{ key: storeTag, value: tagOf(store) }];
      const asked = { experiment_id: experiment, run_name: name, start_time: Date.now(), tags };
      return (await call('POST', 'runs/create', asked, createdRun)).run.info.run_id;
    },
    async logParameters(run: string, parameters: { key: string; value: string }[]): Promise<void> {
      const short = parameters.map(({ key, value }) => ({ key, value: value.slice(0, longestParameter) }));
      for (let begin = 0; begin < short.length; begin += parametersPerCall) {
        const params = short.slice(begin, begin + parametersPerCall);
        await call('POST', 'runs/log-batch', { run_id: run, params }, z.unknown());
      }
    },
    async logMetrics(run: string, metrics: readonly MlflowMetric[]): Promise<void> {
      await call('POST', 'runs/log-batch', { run_id: run, metrics }, z.unknown());
    },
    async setStatus(run: string, status: MlflowStatus): Promise<void> {
      const end = status === 'RUNNING' ? {} : { end_time: Date.now() };
      await call('POST', 'runs/update', { run_id: run, status, ...end }, z.unknown());
    },
  };
}

/** A filter has no way to write a quote. */
const tagOf = (store: string): string => store.replaceAll("'", '');

const createCall =
  (url: string, environment: Environment, signal: AbortSignal) =>
  async <T>(method: 'GET' | 'POST', path: string, body: object, schema: z.ZodType<T>): Promise<T> => {
    const query = method === 'GET' ? `?${new URLSearchParams(body as Record<string, string>)}` : '';
    const { response, text } = await fetch(`${url.replace(/\/+$/, '')}/api/2.0/mlflow/${path}${query}`, {
      method,
      headers: { 'content-type': 'application/json', ...authorization(environment) },
      ...(method === 'POST' && { body: JSON.stringify(body) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    })
      .then(async (response) => ({ response, text: await response.text() }))
      .catch((cause: unknown) => {
        throw new FourfoldError('unavailable', `MLflow at ${url} does not answer`, { cause });
      });
    if (response.ok) return schema.parse(JSON.parse(text || '{}'));
    const { error_code: code, message } = errorOf(text);
    const isMissing = code === 'RESOURCE_DOES_NOT_EXIST';
    const ours = isMissing ? 'not-found' : response.status >= 500 ? 'unavailable' : 'refused';
    throw new FourfoldError(ours, `MLflow at ${url}: ${message || `status ${response.status}`}`);
  };

function authorization(environment: Environment): Record<string, string> {
  const {
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password,
  } = environment;
  if (token) return { authorization: `Bearer ${token}` };
  if (!user) return {};
  return { authorization: `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}` };
}

function errorOf(text: string): { error_code?: string; message: string } {
  try {
    return z.object({ error_code: z.string().optional(), message: z.string() }).parse(JSON.parse(text));
  } catch {
    return { message: text.slice(0, 200) };
  }
}
