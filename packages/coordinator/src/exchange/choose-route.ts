import type { ExchangeConfig } from '@fourfold/common';

/** The way that sums and parameters of an update take. */
export type Route = 'star' | 'chain';

/**
 * What `exchange.route` means for the next update. `auto` is a chain where it saves bytes on a link: with at least two workers on the bulk
 * stream, `machines` being their hosts, of which one or more are on another host than the coordinator. Where all are on its own host, a
 * star begins with the first gradient that is there.
 */
export function chooseRoute(setting: ExchangeConfig['route'], machines: readonly string[], ownMachine: string): Route {
  if (setting !== 'auto') return setting;
  return machines.length >= 2 && machines.some((machine) => machine !== ownMachine) ? 'chain' : 'star';
}
