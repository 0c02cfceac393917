import type { RunConfig } from '@fourfold/common';
import type { Compute } from '@fourfold/worker';
import { serveIdly } from './idle-worker.js';
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
const written = new WeakSet<Float32Array>();
const half: Compute['generatorHalf'] = async (_place, _batch, target) => {
  // Untouched memory would be faster to read than a real gradient.
  if (!written.has(target)) fillGradient(target);
  written.add(target);
  return {};
};
const setParameters: Compute['setParameters'] = async (network, vector) => {
  newest.set(network, vector);
};
const compute = { discriminatorHalf: half, generatorHalf: half, setParameters };
const { ended, reason } = await serveIdly({ config, coordinator, listen, advertise, compute, signal: stop.signal });
if (!ended) console.error(`fourfold: ${reason}`);
const digests = Object.fromEntries([...newest].map(([network, vector]) => [network, digestOf(vector)]));
process.send?.(digests, () => process.exit(ended ? 0 : 1));
