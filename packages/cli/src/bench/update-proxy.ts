import { startDelayingProxy } from '@fourfold/local-servers';

/*
 * A process of `bench update`: a network of the given round trip before each of the given addresses. It tells its parent where.
 */

const [roundTripMs, ...targets] = process.argv.slice(2);
process.once('disconnect', () => process.exit());
const proxies = await Promise.all(
  targets.map((target) => startDelayingProxy(target, { roundTripMs: Number(roundTripMs) })),
);
process.send?.(proxies.map(({ address }) => address));
