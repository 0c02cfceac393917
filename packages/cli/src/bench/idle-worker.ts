import { createLogger, type RunConfig } from '@fourfold/common';
import { startServer, wire } from '@fourfold/rpc';
import { createBatchQueue, createServing, createWorkerExchange, type Compute } from '@fourfold/worker';

/*
 * A worker without a device for benchmarks: it serves a coordinator like any worker, but batches are empty and gradients are ready-made.
 */

export interface IdleWorkerParts {
  config: RunConfig;
  /** host:port of the coordinator, of this worker's server, and where the coordinator reaches that. */
  coordinator: string;
  listen: string;
  advertise: string;
  /** What it does when it is asked for a half. */
  compute: Partial<Compute> & Pick<Compute, 'discriminatorHalf' | 'generatorHalf'>;
  signal: AbortSignal;
}

/** Serve a coordinator as a worker until the run ends; resolves with whether it did, and why not. */
export async function serveIdly({
  config,
  coordinator,
  listen,
  advertise,
  compute,
  signal,
}: IdleWorkerParts): Promise<{ ended: boolean; reason: string }> {
  const log = createLogger('worker');
  const exchange = await createWorkerExchange(config, log);
  const server = await startServer(listen);
  server.addService(wire.Worker.service, exchange.handlers);
  server.addStream(['coordinator', 'worker'], exchange.stream);
  const noBatches = { batch: async () => ({ count: 0, crop: 0, hr: new Uint8Array(), lr: new Uint8Array() }) };
  const serve = createServing({
    config,
    compute: { ...idle, ...compute },
    exchange,
    batches: createBatchQueue({ ...noBatches, reuse: () => undefined }, { ahead: 0, iterations: 0 }),
    kind: {},
    datasetSha256: '',
    address: advertise,
    log,
  });
  return serve(coordinator, signal);
}

const nothing = async () => undefined;
const neverAsked = async () => {
  throw new Error('a bench asks for halves of iterations alone');
};

const idle: Omit<Compute, 'discriminatorHalf' | 'generatorHalf'> = {
  reset: async () => 0,
  setParameters: nothing,
  prepareContent: nothing,
  start: neverAsked,
  memory: neverAsked,
  startEvaluation: neverAsked,
  startPicture: neverAsked,
  continuePicture: neverAsked,
  endEvaluation: neverAsked,
};
