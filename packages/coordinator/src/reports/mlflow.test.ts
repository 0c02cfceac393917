import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { smallConfig } from '../test-config.js';
import { checkMlflowUrl, openMlflow, parametersOf } from './mlflow.js';

/*
 * A server with the shapes of MLflow 3's REST interface, as its documentation and a real server have them. The real one is too heavy for the
 * suite: 2 GB of packages and seconds to start.
 */

interface Call {
  path: string;
  body: Record<string, unknown>;
}

let calls: Call[];
let runs: { id: string; store: string }[];
let isAway: boolean;
let server: Server;
let url: string;
beforeEach(async () => {
  calls = [];
  runs = [];
  isAway = false;
  let experiments = 0;
  const answer = ({ path, body }: Call): [status: number, answer: object] => {
    if (isAway) return [503, {}];
    switch (path) {
      case 'experiments/get-by-name':
        if (experiments > 0) return [200, { experiment: { experiment_id: '7' } }];
        return [404, { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'no such experiment' }];
      case 'experiments/create':
        experiments++;
        return [200, { experiment_id: '7' }];
      case 'runs/search': {
        const found = runs.find(({ store }) => String(body['filter']) === `tags.\`fourfold.store\` = '${store}'`);
        return [200, found ? { runs: [{ info: { run_id: found.id } }] } : {}];
      }
      case 'runs/create': {
        const [{ value: store }] = body['tags'] as { value: string }[];
        runs.push({ id: `run-${runs.length}`, store });
        return [200, { run: { info: { run_id: runs.at(-1)?.id } } }];
      }
      default:
        return [200, {}];
    }
  };
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = /\/api\/2\.0\/mlflow\/([a-z/-]+)/.exec(request.url ?? '')?.[1] ?? '';
      const call = { path, body: JSON.parse(Buffer.concat(chunks).toString() || '{}') as Call['body'] };
      calls.push(call);
      const [status, body] = answer(call);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const row = (iteration: number, loss = 0.5) => ({ iteration, phase: 0, learningRate: 1e-4, losses: { content: loss } });
const config = smallConfig();
const nothing = { rows: [], evaluations: [] };
const open = (history = nothing as Parameters<typeof openMlflow>[0]['history']) =>
  openMlflow({ url, run: 'photos', store: 'file:///store/runs/photos', config, history });
const metricsIn = (sent: Call[]) =>
  sent.flatMap(({ body }) => (body['metrics'] ?? []) as { key: string; value: number; step: number }[]);

test('a run has its config as parameters and its figures as metrics, and ends as the run does', async () => {
  const target = open({ rows: [row(5)], evaluations: [] });
  await target.add({ rows: [row(10), row(15, NaN)], evaluations: [] });
  await target.close('finished');
  expect(calls.map(({ path }) => path)).toEqual([
    'experiments/get-by-name',
    'experiments/create',
    'runs/search',
    'runs/create',
    'runs/log-batch',
    'runs/log-batch',
    'runs/update',
  ]);
  expect(calls[4].body).toMatchObject({
    run_id: 'run-0',
    params: expect.arrayContaining([{ key: 'data.crop', value: '16' }]) as object,
  });
  expect(metricsIn(calls).map(({ key, value, step }) => [step, key, value])).toEqual([
    [5, 'loss/content', 0.5],
    [5, 'learning_rate', 1e-4],
    [10, 'loss/content', 0.5],
    [10, 'learning_rate', 1e-4],
    [15, 'learning_rate', 1e-4],
  ]);
  expect(calls.at(-1)?.body).toMatchObject({
    run_id: 'run-0',
    status: 'FINISHED',
    end_time: expect.any(Number) as number,
  });
});

test('a resumed run continues its MLflow run, with nothing twice', async () => {
  const first = open();
  await first.add({ rows: [row(5)], evaluations: [] });
  await first.close('stopped');
  expect(calls.at(-1)?.body).toMatchObject({ status: 'KILLED' });
  calls = [];
  await open({ rows: [row(5)], evaluations: [] }).add({ rows: [row(10)], evaluations: [] });
  expect(calls.map(({ path }) => path)).toEqual([
    'experiments/get-by-name',
    'runs/search',
    'runs/update',
    'runs/log-batch',
  ]);
  expect(metricsIn(calls).map(({ step }) => step)).toEqual([10, 10]);
});

test('figures wait while the server is away', async () => {
  const target = open();
  isAway = true;
  await expect(target.add({ rows: [row(5)], evaluations: [] })).rejects.toMatchObject({ code: 'unavailable' });
  isAway = false;
  await target.add({ rows: [row(10)], evaluations: [] });
  expect(metricsIn(calls).map(({ step }) => step)).toEqual([5, 5, 10, 10]);
});

test('what is no address is refused before the run', () => {
  for (const bad of ['localhost:5000', 'file:///mlruns', 'http://']) {
    expect(() => checkMlflowUrl(bad)).toThrow(`--mlflow ${bad} is not an http or https address`);
  }
  expect(parametersOf({ a: { b: [1, { c: 'x' }] }, d: undefined })).toEqual([
    { key: 'a.b.0', value: '1' },
    { key: 'a.b.1.c', value: 'x' },
  ]);
});
