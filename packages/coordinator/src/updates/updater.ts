import type { AdamConfig } from '@fourfold/common';
import { elementBytesOf, isUnrounded } from '@fourfold/weights';
import { addressOf, createSums, spread } from './sums.js';
import { instantiateUpdateModule, type AdamRange } from './update-module.js';
import { startUpdateThreads, type UpdateThreads } from './update-threads.js';
import { planMemory } from './updater-memory.js';
import type { UpdatedNetwork, MasterState, Updater } from './types.js';

/** Batch norm's running averages move by this much an update (PyTorch's momentum). */
const averageMomentum = 0.1;
/** What PyTorch adds to a norm before it divides by it. */
const clipEpsilon = 1e-6;
/** Elements whose squares a thread sums at once. */
const squaresBlock = 1 << 18;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;

/**
 * The coordinator's arithmetic over one shared WebAssembly memory, spread over `threads` threads besides this one. The
 * bits do not depend on the number of threads. `chunkBytes` is the most that `accumulate` takes.
 */
export function createUpdater(networks: readonly UpdatedNetwork[], threads: number, chunkBytes: number): Updater {
  const plan = planMemory(networks, chunkBytes, threads);
  const memory = new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages, shared: true });
  const module = instantiateUpdateModule(memory);
  const states = networks.map((network, i) => stateOf(network, plan.addresses[i], memory.buffer));
  const pool = startUpdateThreads(plan.blocks.map((block) => ({ memory, block, blockBytes: plan.blockBytes })));
  /** What the sum is divided by: the number of replicas, or more if the mean gradient is longer than `clipNorm`. */
  async function divisorOf(state: MasterState, { replicas, clipNorm }: { replicas: number; clipNorm?: number }) {
    if (clipNorm === undefined) return replicas;
    const squares = await sumOfSquares(pool, threads, state);
    return replicas * Math.max(1, (Math.sqrt(squares) / replicas + clipEpsilon) / clipNorm);
  }
  return {
    states,
    ...createSums({ module, pool, memory: memory.buffer, places: plan, chunkBytes, threads }),
    async encodeParameters({ vector, wire, wires }) {
      if (isUnrounded(wires.parameters)) return;
      for (const { encoding, begin, count, byteBegin, byteLength } of wires.parameters.sections) {
        if (encoding === 'bf16') {
          await spread(count, threads, (from, to, thread) => {
            const target = wire.byteOffset + byteBegin + from * elementBytesOf({ encoding });
            return pool.run(thread, {
              type: 'round',
              source: addressOf(vector, begin + from),
              target,
              count: to - from,
            });
          });
        } else {
          wire.set(new Uint8Array(memory.buffer, addressOf(vector, begin), byteLength), byteBegin);
        }
      }
    },
    async apply(state, given) {
      const update = { ...given, replicas: await divisorOf(state, given) };
      await spread(state.parameterCount, threads, (begin, end, thread) =>
        pool.run(thread, { type: 'adam', range: adamRange(state, { begin, end }, update) }),
      );
      const { parameterCount, vector, average, averageDecay, sum, frozenStatistics } = state;
      if (!frozenStatistics) {
        module.moveAverages(
          addressOf(vector, parameterCount),
          addressOf(sum, parameterCount),
          vector.length - parameterCount,
          given.replicas,
          averageMomentum,
        );
      }
      if (average && averageDecay !== undefined) {
        module.moveAverages(addressOf(average, 0), addressOf(vector, 0), vector.length, 1, 1 - averageDecay);
      }
    },
    close: () => pool.close(),
  };
}

/** The state of a network: views of the memory. */
function stateOf(
  network: UpdatedNetwork,
  addresses: ReturnType<typeof planMemory>['addresses'][number],
  memory: ArrayBufferLike,
): MasterState {
  const { parameterCount, length, wires } = network;
  const { vector, average, firstMoments, secondMoments, sum, wire } = addresses;
  const view = (address: number, length: number) => new Float32Array(memory, address, length);
  return {
    ...network,
    vector: view(vector, length),
    ...(average !== undefined && { average: view(average, length) }),
    firstMoments: view(firstMoments, parameterCount),
    secondMoments: view(secondMoments, parameterCount),
    sum: view(sum, length),
    wire: new Uint8Array(memory, wire, wires.parameters.byteLength),
  };
}

/** Over blocks of a fixed size, whose sums are added in their order: the bits do not depend on the number of threads. */
async function sumOfSquares(
  pool: UpdateThreads,
  threads: number,
  { sum, parameterCount }: MasterState,
): Promise<number> {
  const blocks = Array.from({ length: Math.ceil(parameterCount / squaresBlock) }, (_, block) => {
    const begin = block * squaresBlock;
    const count = Math.min(squaresBlock, parameterCount - begin);
    return pool.sumOfSquares(block % threads, { source: addressOf(sum, begin), count });
  });
  return (await Promise.all(blocks)).reduce((total, squares) => total + squares, 0);
}

function adamRange(
  state: MasterState,
  { begin, end }: { begin: number; end: number },
  { replicas, learningRate, step, adam }: { replicas: number; learningRate: number; step: number; adam: AdamConfig },
): AdamRange {
  const { beta1, beta2, epsilon } = adam;
  const offset = begin * elementBytes;
  return {
    parameters: state.vector.byteOffset + offset,
    firstMoments: state.firstMoments.byteOffset + offset,
    secondMoments: state.secondMoments.byteOffset + offset,
    sum: state.sum.byteOffset + offset,
    count: end - begin,
    replicas,
    beta1,
    beta2,
    oneMinusBeta1: 1 - beta1,
    oneMinusBeta2: 1 - beta2,
    stepSize: learningRate / (1 - power(beta1, step)),
    rootCorrection2: Math.sqrt(1 - power(beta2, step)),
    epsilon,
  };
}

/** base^exponent by multiplication alone: unlike `Math.pow`, the same bits in every JavaScript engine. */
export function power(base: number, exponent: number): number {
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2), square *= square) {
    if (rest % 2 === 1) result *= square;
  }
  return result;
}
