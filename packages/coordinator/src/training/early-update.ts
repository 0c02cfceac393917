import type { Half } from '@fourfold/common';
import { elementsBefore } from '@fourfold/weights';
import type { EarlyUpdate, Master } from '../updates/master.js';
import type { ReplicaOrder } from '../updates/replica-order.js';

/** How many elements Adam gets at once, or half of a smaller network's: handing over fewer takes longer than Adam. */
const rangeElements = 1 << 20;

/** The update of a half whose last replica is added piece by piece. */
export interface FollowingUpdate {
  /** The replicas' order, of which each advance of the last one lets the update go on. */
  order: ReplicaOrder;
  /** The sum broke off. Resolves when nothing writes to the staged copy any more. */
  drop: () => Promise<void>;
}

/** Begin a half's update as soon as the first elements of its sum are there: when the last replica, `replicas` - 1, has been added to them. */
export function updateAlong(
  { order, replicas }: { order: ReplicaOrder; replicas: number },
  master: Pick<Master, 'beginUpdate' | 'state'>,
  { network, learningRate }: Half,
): FollowingUpdate {
  const { wires } = master.state(network);
  const range = Math.min(rangeElements, Math.ceil(wires.gradients.length / 2));
  let update: EarlyUpdate | undefined;
  let begun = 0;
  const summed = (element: number) => {
    if (element < begun + range) return;
    begun = element;
    update ??= master.beginUpdate(network, learningRate);
    update.advance(element);
  };
  return {
    order: {
      ...order,
      advance(replica, bytes) {
        order.advance(replica, bytes);
        if (replica === replicas - 1) summed(elementsBefore(wires.gradients, bytes));
      },
    },
    drop: async () => update?.drop(),
  };
}
