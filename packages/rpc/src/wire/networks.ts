import { networks, type Network } from '@fourfold/common';

/** The networks' names in messages. */
export const wireNetworks = { generator: 'GENERATOR', discriminator: 'DISCRIMINATOR' } as const satisfies Record<
  Network,
  string
>;

export type WireNetwork = (typeof wireNetworks)[Network];

/** The network that a message names. */
export const networkOf = (name: WireNetwork): Network =>
  networks.find((network) => wireNetworks[network] === name) as Network;
