import type { Network } from '@fourfold/common';
import { wireNetworks, type NewParameters } from '@fourfold/rpc';
import type { HopBar } from './barred-hops.js';
import { parameterRoute, type SeatedHop } from './parameter-route.js';

/** A worker on the chain, and how to tell it from whom it gets parameters. */
interface ChainedWorker extends Omit<SeatedHop, 'isBarred'> {
  tell: (parameters: NewParameters) => void;
}

/** The chain along which parameters pass: all seated workers on the bulk stream, idle ones too. */
export function createParameterChain(bar: Pick<HopBar, 'isBarred'>) {
  const seated = new Set<ChainedWorker>();
  return {
    /** A worker is on the chain from the next version on, until it calls the result. */
    join(worker: ChainedWorker): () => void {
      seated.add(worker);
      return () => void seated.delete(worker);
    },
    /** The hosts of the workers on it, one for each worker. */
    machines: (): string[] => [...seated].map(({ machine }) => machine),
    /** Tell all workers from whom they get a network's new version. What has joined since pulls it from the coordinator. */
    announce(network: Network, version: number): void {
      const hops = [...seated].map((hop) => ({ ...hop, isBarred: bar.isBarred(hop.worker) }));
      for (const { hop, from } of parameterRoute(hops)) {
        const before = from && { worker: from.worker, address: from.peer.address, secret: from.peer.secret };
        hop.tell({ network: wireNetworks[network], version, from: before });
      }
    },
  };
}
