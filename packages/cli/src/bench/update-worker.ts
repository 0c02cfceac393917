import { createLogger, startServer, wire, type RunConfig } from '@fourfold/common';
import { createServing, createWorkerExchange, type Compute } from '@fourfold/worker';

/*
 * A process of `bench update`: a worker without a device. It serves the coordinator as every worker does; only its
 * gradients are there without being computed, and its parameters go nowhere.
 */

const [coordinator, configText] = process.argv.slice(2);
const stop = new AbortController();
process.once('disconnect', () => stop.abort(new Error('the bench is gone')));
const config = JSON.parse(configText) as RunConfig;
const log = createLogger('worker');
const exchange = await createWorkerExchange(config.exchange, log);
const server = await startServer('127.0.0.1:0');
server.addService(wire.Worker.service, exchange.handlers);
const serve = createServing({
  config,
  compute: idleCompute(),
  exchange,
  source: { batch: async () => ({ count: 0, crop: 0, hr: new Uint8Array(), lr: new Uint8Array() }) },
  kind: {},
  datasetSha256: '',
  address: server.address,
  log,
});
const { ended, reason } = await serve(coordinator, stop.signal);
if (!ended) console.error(`fourfold: ${reason}`);
process.exit(ended ? 0 : 1);

function idleCompute(): Compute {
  const written = new WeakSet<Float32Array>();
  const half: Compute['generatorHalf'] = async (_place, _batch, target) => {
    // Untouched memory would be faster to read than any gradient is.
    if (!written.has(target)) target.fill(1e-3);
    written.add(target);
    return {};
  };
  const nothing = async () => undefined;
  const neverAsked = async () => {
    throw new Error('a bench of updates asks for nothing else');
  };
  return {
    reset: async () => 0,
    setParameters: nothing,
    discriminatorHalf: half,
    prepareContent: nothing,
    generatorHalf: half,
    start: neverAsked,
    startEvaluation: neverAsked,
    evaluatePicture: neverAsked,
    endEvaluation: neverAsked,
  };
}
