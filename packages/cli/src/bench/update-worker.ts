import { createLogger, type RunConfig } from '@fourfold/common';
import { startServer, wire } from '@fourfold/rpc';
import { createBatchQueue, createServing, createWorkerExchange, type Compute } from '@fourfold/worker';
import { digestOf, fillGradient } from './update-check.js';

/*
 * A process of `bench update`: a worker without a device. It serves the coordinator like any worker, but its gradients are
 * ready-made and its parameters are not used. At the end it sends its parent digests of the newest parameters.
 */

const [coordinator, listen, advertise, configText] = process.argv.slice(2);
/** The newest parameters, as they arrived. */
const newest = new Map<string, Float32Array>();
const stop = new AbortController();
process.once('disconnect', () => stop.abort(new Error('the bench has ended')));
const config = JSON.parse(configText) as RunConfig;
const log = createLogger('worker');
const exchange = await createWorkerExchange(config.exchange, log);
const server = await startServer(listen);
server.addService(wire.Worker.service, exchange.handlers);
server.addStream('coordinator', exchange.stream);
const serve = createServing({
  config,
  compute: idleCompute(),
  exchange,
  batches: createBatchQueue(
    {
      batch: async () => ({ count: 0, crop: 0, hr: new Uint8Array(), lr: new Uint8Array() }),
      reuse: () => undefined,
    },
    { ahead: 0, iterations: 0 },
  ),
  kind: {},
  datasetSha256: '',
  address: advertise,
  log,
});
const { ended, reason } = await serve(coordinator, stop.signal);
if (!ended) console.error(`fourfold: ${reason}`);
const digests = Object.fromEntries([...newest].map(([network, vector]) => [network, digestOf(vector)]));
process.send?.(digests, () => process.exit(ended ? 0 : 1));

function idleCompute(): Compute {
  const written = new WeakSet<Float32Array>();
  const half: Compute['generatorHalf'] = async (_place, _batch, target) => {
    // Untouched memory would be faster to read than a real gradient.
    if (!written.has(target)) fillGradient(target);
    written.add(target);
    return {};
  };
  const nothing = async () => undefined;
  const neverAsked = async () => {
    throw new Error('a bench of updates asks for nothing else');
  };
  return {
    reset: async () => 0,
    async setParameters(network, vector) {
      newest.set(network, vector);
    },
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
