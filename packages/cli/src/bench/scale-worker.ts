import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger, type RunConfig } from '@fourfold/common';
import { startServer, wire } from '@fourfold/rpc';
import { createBatchQueue, createServing, createWorkerExchange, type Compute } from '@fourfold/worker';

/*
 * A process of `bench scale`: many workers without a device, whose gradients are zeros and ready at once. At the end it sends its
 * parent what it saw of the status page.
 */

export interface ScaleWorkersReport {
  workers: number;
  /** Times of its requests of the status, if it made any. */
  statusMs: number[];
}

const statusEveryMs = 100;

const [coordinator, statusUrl, configText, ports] = process.argv.slice(2);
const config = JSON.parse(configText) as RunConfig;
const log = createLogger('worker');
const stop = new AbortController();
process.once('disconnect', () => stop.abort(new Error('the bench has ended')));
// Each worker listens.
setMaxListeners(0, stop.signal);
const over = new AbortController();
const statusMs = statusUrl === '' ? Promise.resolve([]) : watchStatus(statusUrl, over.signal);
const listens = ports.split(',').map((port) => `127.0.0.1:${port}`);
const outcomes = await Promise.all(listens.map(serveOne));
over.abort();
for (const { ended, reason } of outcomes) if (!ended) console.error(`fourfold: ${reason}`);
const report: ScaleWorkersReport = { workers: listens.length, statusMs: await statusMs };
process.send?.(report, () => process.exit(outcomes.every(({ ended }) => ended) ? 0 : 1));

/** Serve the coordinator as one worker until the run ends. */
async function serveOne(listen: string) {
  const exchange = await createWorkerExchange(config.exchange, log);
  const server = await startServer(listen);
  server.addService(wire.Worker.service, exchange.handlers);
  const noBatches = { batch: async () => ({ count: 0, crop: 0, hr: new Uint8Array(), lr: new Uint8Array() }) };
  const serve = createServing({
    config,
    compute: idleCompute(),
    exchange,
    batches: createBatchQueue({ ...noBatches, reuse: () => undefined }, { ahead: 0, iterations: 0 }),
    kind: {},
    datasetSha256: '',
    address: listen,
    log,
  });
  return serve(coordinator, stop.signal);
}

function idleCompute(): Compute {
  const half = async () => ({});
  const nothing = async () => undefined;
  const neverAsked = async () => {
    throw new Error('a bench of the control plane asks for nothing else');
  };
  return {
    reset: async () => 0,
    setParameters: nothing,
    discriminatorHalf: half,
    prepareContent: nothing,
    generatorHalf: half,
    start: neverAsked,
    memory: neverAsked,
    startEvaluation: neverAsked,
    startPicture: neverAsked,
    continuePicture: neverAsked,
    endEvaluation: neverAsked,
  };
}

/** Request the status at once and every now and then until the end; returns how long each answer took, body included. */
async function watchStatus(url: string, signal: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  do {
    const begunMs = performance.now();
    const answer = await fetch(url);
    await answer.text();
    times.push(performance.now() - begunMs);
    await delay(statusEveryMs);
  } while (!signal.aborted);
  return times;
}
