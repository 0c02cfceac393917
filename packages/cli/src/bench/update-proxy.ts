import { startDelayingProxy } from '../servers/index.js';

/*
 * A process of `bench update`: a network with the given round trip in front of each given address. It sends its parent the new
 * addresses.
 */

const [roundTripMs, ...targets] = process.argv.slice(2);
process.once('disconnect', () => process.exit());
const proxies = await Promise.all(
  targets.map((target) => startDelayingProxy(target, { roundTripMs: Number(roundTripMs) })),
);
process.send?.(proxies.map(({ address }) => address));
