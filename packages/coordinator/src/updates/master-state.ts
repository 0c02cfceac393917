import type { planMemory } from './updater-memory.js';
import type { MasterState, StateCopy, UpdatedNetwork } from './types.js';

type Addresses = ReturnType<typeof planMemory>['addresses'][number];

/** A network's master state: two copies, as views of the updater's memory, of which the first is committed. */
export function createMasterState(network: UpdatedNetwork, addresses: Addresses, memory: ArrayBufferLike): MasterState {
  const { parameterCount, length, wires } = network;
  const view = (address: number, length: number) => new Float32Array(memory, address, length);
  const [first, second] = addresses.copies.map(({ vector, average, firstMoments, secondMoments }): StateCopy => ({
    vector: view(vector, length),
    ...(average !== undefined && { average: view(average, length) }),
    firstMoments: view(firstMoments, parameterCount),
    secondMoments: view(secondMoments, parameterCount),
  }));
  const { wire } = addresses;
  const rounded = wire === undefined ? undefined : new Uint8Array(memory, wire, wires.parameters.byteLength);
  let [committed, staged] = [first, second];
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
    get wire() {
      return rounded ?? new Uint8Array(memory, committed.vector.byteOffset, committed.vector.byteLength);
    },
    commit() {
      [committed, staged] = [staged, committed];
    },
  };
}
