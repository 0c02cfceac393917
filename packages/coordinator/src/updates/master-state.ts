import type { planMemory } from './updater-memory.js';
import type { MasterState, StateCopy, UpdatedNetwork } from './types.js';

type Addresses = ReturnType<typeof planMemory>['addresses'][number];

/** A network's master state: two copies, as views of the updater's memory, of which the first is committed. */
export function createMasterState(network: UpdatedNetwork, addresses: Addresses, memory: ArrayBufferLike): MasterState {
  const { parameterCount, length, wires } = network;
  const view = (address: number, length: number) => new Float32Array(memory, address, length);
  const [first, second] = addresses.copies.map(
    ({ vector, average, firstMoments, secondMoments, view: held }): StateCopy => ({
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
    }),
  );
  const { wire } = addresses;
  const rounded = wire === undefined ? undefined : new Uint8Array(memory, wire, wires.parameters.byteLength);
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
      const { byteOffset, byteLength } = committed.view?.vector ?? committed.vector;
      return rounded ?? new Uint8Array(memory, byteOffset, byteLength);
    },
    commit() {
      [committed, staged] = [staged, committed];
      isUpdated = true;
    },
  };
}
