import type { planMemory } from './updater-memory.js';
import type { MasterState, StateCopy, UpdatedNetwork } from './types.js';

type Addresses = ReturnType<typeof planMemory>['addresses'][number];

/** A network's master state: two copies, as views of the updater's memory, of which the first is committed. */
export function createMasterState(network: UpdatedNetwork, addresses: Addresses, memory: ArrayBufferLike): MasterState {
  const { parameterCount, length, wires } = network;
  const view = (address: number, length: number) => new Float32Array(memory, address, length);
  const [first, second] = addresses.copies.map(
    ({ vector, average, firstMoments, secondMoments, view: held, wire }): StateCopy => ({
      vector: view(vector, length),
      ...(average !== undefined && { average: view(average, length) }),
      firstMoments: view(firstMoments, parameterCount),
      secondMoments: view(secondMoments, parameterCount),
      ...(held &&
        wires.deltas && {
          view: {
            vector: view(held.vector, length),
            deltas: new Uint8Array(memory, held.deltas, wires.deltas.byteLength),
          },
        }),
      ...(wire !== undefined && { wire: new Uint8Array(memory, wire, wires.parameters.byteLength) }),
    }),
  );
  let [committed, staged] = [first, second];
  let isUpdated = false;
  return {
    ...network,
    sum: view(addresses.sum, length),
    get committed() {
      return committed;
    },
    get staged() {
      return staged;
    },
    get vector() {
      return committed.vector;
    },
    get average() {
      return committed.average;
    },
    get firstMoments() {
      return committed.firstMoments;
    },
    get secondMoments() {
      return committed.secondMoments;
    },
    get view() {
      return committed.view;
    },
    get isUpdated() {
      return isUpdated;
    },
    get wire() {
      return wireOf(committed);
    },
    commit() {
      [committed, staged] = [staged, committed];
      isUpdated = true;
    },
  };
}

/** What crosses of a copy's whole vector. */
export function wireOf({ wire, view, vector }: StateCopy): Uint8Array {
  const { buffer, byteOffset, byteLength } = view?.vector ?? vector;
  return wire ?? new Uint8Array(buffer, byteOffset, byteLength);
}
