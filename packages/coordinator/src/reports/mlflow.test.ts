import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLogger } from '@fourfold/common';
import { emptyHistory, openStore } from '@fourfold/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHousekeeping } from '../life/housekeeping.js';
import { smallConfig } from '../test-config.js';
import { checkMlflowUrl, openMlflow, parametersOf } from './mlflow.js';
import { openReports } from './reports.js';

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
/** A call that fails once: before it is carried out, or after. */
let failing: { path: string; isDone: boolean } | undefined;
let isSilent: boolean;
let server: Server;
let url: string;
beforeEach(async () => {
  calls = [];
  runs = [];
  isAway = isSilent = false;
  failing = undefined;
  let experiments = 0;
  const answer = ({ path, body }: Call): [status: number, answer: object] => {
    if (isAway) return [503, {}];
    if (failing?.path === path) {
      const { isDone } = failing;
      failing = undefined;
      if (isDone) answer({ path, body });
      return [500, {}];
    }
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
      if (isSilent) return;
      const [status, body] = answer(call);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
});

const row = (iteration: number, loss = 0.5) => ({ iteration, phase: 0, learningRate: 1e-4, losses: { content: loss } });
const config = smallConfig();
const nothing = { rows: [], evaluations: [] };
const open = (history = nothing as Parameters<typeof openMlflow>[0]['history']) =>
  openMlflow({
    url,
    run: 'photos',
    store: 'file:///store/runs/photos',
    config,
    history,
    signal: new AbortController().signal,
  });
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

test('a run that failed is FAILED; one that a newer term has taken over stays as the successor has it', async () => {
  for (const [end, status] of [
    ['failed', ['FAILED']],
    ['superseded', []],
  ] as const) {
    const target = open();
    await target.add({ rows: [row(5)], evaluations: [] });
    calls = [];
    await target.close(end);
    expect(calls.map(({ body }) => body['status'])).toEqual(status);
  }
});

test.each([
  { path: 'runs/create', isDone: true },
  { path: 'runs/log-batch', isDone: false },
])('parameters and earlier figures come also after $path has failed once', async (failure) => {
  const target = open({ rows: [row(5)], evaluations: [] });
  failing = failure;
  await expect(target.add({ rows: [row(10)], evaluations: [] })).rejects.toMatchObject({ code: 'unavailable' });
  calls = [];
  await target.add({ rows: [row(15)], evaluations: [] });
  expect(runs).toHaveLength(1);
  expect(calls.filter(({ body }) => body['params'])).toHaveLength(1);
  expect(metricsIn(calls).map(({ step }) => step)).toEqual([5, 5, 10, 10, 15, 15]);
});

function openThroughReports(history = emptyHistory(), closeMs?: number) {
  const log = createLogger('test');
  log.level = 'silent';
  const housekeeping = createHousekeeping(log);
  const run = openStore('/store/runs/photos');
  const parts = { mlflow: url, run, config, iteration: 0, history: () => history, housekeeping, closeMs };
  return openReports({ ...parts, end: () => 'finished' });
}

test('a history that grows before the first report is reported once', async () => {
  const history = emptyHistory();
  history.rows.push(row(5));
  const reports = await openThroughReports(history);
  history.rows.push(row(10));
  reports.look();
  history.rows.push(row(15));
  await reports.close();
  expect(metricsIn(calls).map(({ step }) => step)).toEqual([5, 5, 10, 10, 15, 15]);
});

test('a server that does not answer holds up the end for the deadline, not for that of each call', async () => {
  const history = emptyHistory();
  const reports = await openThroughReports(history, 50);
  isSilent = true;
  history.rows.push(row(5));
  const begunMs = performance.now();
  await reports.close();
  expect(performance.now() - begunMs).toBeLessThan(5_000);
});

test('LPIPS is reported where it was measured', async () => {
  const bicubic = { psnr: 25, ssim: 0.5, lpips: 0.25 };
  await open().add({
    rows: [],
    evaluations: [{ iteration: 5, psnr: 30, ssim: 0.9, lpips: 0.1, bicubic, pictures: [] }],
  });
  const values = metricsIn(calls).map(({ key, value }) => [key, value]);
  expect(values).toEqual([
    ['validation/psnr', 30],
    ['validation/ssim', 0.9],
    ['validation/lpips', 0.1],
    ['validation/bicubic_psnr', 25],
    ['validation/bicubic_ssim', 0.5],
    ['validation/bicubic_lpips', 0.25],
  ]);
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
  const check = () => checkMlflowUrl('https://me:secret@mlflow.example.org/');
  expect(check).toThrow('--mlflow with host mlflow.example.org contains credentials');
  expect(check).not.toThrow('secret');
  expect(parametersOf({ a: { b: [1, { c: 'x' }] }, d: undefined })).toEqual([
    { key: 'a.b.0', value: '1' },
    { key: 'a.b.1.c', value: 'x' },
  ]);
});
