import { FourfoldError, type AdamConfig, type Stamp } from '@fourfold/common';
import { instantiateUpdateModule, type AdamArguments } from './update-module.js';
import { startUpdateThreads } from './update-threads.js';

/** Batch norm's running averages move by this much an update (PyTorch's momentum). */
const averageMomentum = 0.1;
const pageBytes = 65_536;
/** Behind every vector, for arithmetic in lanes of four. */
const paddingBytes = 16;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;
/** What a thread reads and adds at once: half of what a core's second-level cache commonly holds, or less. */
const blockElements = (256 << 10) / elementBytes;

/** One network's master state. The vectors are views of the shared memory. */
export interface MasterState {
  readonly parameterCount: number;
  /** Parameters, then batch norm's running averages. */
  readonly vector: Float32Array;
  readonly firstMoments: Float32Array;
  readonly secondMoments: Float32Array;
  /** The sum of the replicas' gradient vectors. */
  readonly sum: Float32Array;
}

/** A range of a gradient in a shared file that is open here. */
export interface SharedRange {
  descriptor: number;
  stamp: Stamp;
  begin: number;
  count: number;
}

export interface Updater {
  readonly states: readonly MasterState[];
  /**
   * Add a chunk of a replica's gradient to the sum, or set the sum to it for the first replica. Returns false, and
   * changes nothing, when an element is not finite.
   */
  accumulate(state: MasterState, begin: number, chunk: Uint8Array, first: boolean): boolean;
  /**
   * The same for a range in shared memory, by one of the threads: replicas that follow one another have different ones.
   * Resolves with how many elements were added before one that is not finite or could not be read, and the reason.
   */
  accumulateShared(
    state: MasterState,
    range: SharedRange,
    replica: number,
  ): Promise<{ added: number; failure?: FourfoldError }>;
  /** One update from the sum: Adam's step number `step` (from 1) on the parameters, running averages on the rest. */
  apply(
    state: MasterState,
    update: { replicas: number; learningRate: number; step: number; adam: AdamConfig },
  ): Promise<void>;
  close(): Promise<void>;
}

/**
 * The coordinator's arithmetic over one shared WebAssembly memory, spread over `threads` threads besides this one. The bits do not
 * depend on the number of threads. `chunkElements` bounds the chunks that `accumulate` takes.
 */
export function createUpdater(
  networks: readonly { parameterCount: number; length: number }[],
  threads: number,
  chunkElements: number,
): Updater {
  const plan = planMemory(networks, chunkElements, threads);
  const memory = new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages, shared: true });
  const module = instantiateUpdateModule(memory);
  const view = (address: number, length: number) => new Float32Array(memory.buffer, address, length);
  const states = networks.map(({ parameterCount, length }, i) => {
    const [vector, firstMoments, secondMoments, sum] = plan.addresses[i];
    return {
      parameterCount,
      vector: view(vector, length),
      firstMoments: view(firstMoments, parameterCount),
      secondMoments: view(secondMoments, parameterCount),
      sum: view(sum, length),
    };
  });
  const staging = new Uint8Array(memory.buffer, plan.staging, chunkElements * elementBytes);
  const pool = startUpdateThreads(plan.blocks.map((block) => ({ memory, block, blockElements })));
  return {
    states,
    accumulate(state, begin, chunk, first) {
      const count = chunk.byteLength / elementBytes;
      staging.set(chunk);
      staging.fill(0, chunk.byteLength, Math.min(staging.byteLength, chunk.byteLength + paddingBytes));
      if (!module.allFinite(plan.staging, count)) return false;
      module.accumulate(state.sum.byteOffset + begin * elementBytes, plan.staging, count, first ? 1 : 0);
      return true;
    },
    async accumulateShared(state, range, replica) {
      const sum = state.sum.byteOffset + range.begin * elementBytes;
      const { added, failure } = await pool.reduce(replica % threads, { ...range, sum, first: replica === 0 });
      return { added, ...(failure && { failure: new FourfoldError(failure.code, failure.reason) }) };
    },
    async apply(state, update) {
      const ranges = splitRange(state.parameterCount, threads).map((range) => adamArguments(state, range, update));
      await Promise.all(ranges.map((args, thread) => pool.adam(thread, args)));
      const { parameterCount, vector, sum } = state;
      const statisticsAt = parameterCount * elementBytes;
      module.moveAverages(
        vector.byteOffset + statisticsAt,
        sum.byteOffset + statisticsAt,
        vector.length - parameterCount,
        update.replicas,
        averageMomentum,
      );
    },
    close: () => pool.close(),
  };
}

function planMemory(
  networks: readonly { parameterCount: number; length: number }[],
  chunkElements: number,
  threads: number,
) {
  let end = pageBytes;
  const take = (elements: number) => {
    const address = end;
    end += Math.ceil((elements * elementBytes + paddingBytes) / 64) * 64;
    return address;
  };
  const staging = take(chunkElements);
  const blocks = Array.from({ length: threads }, () => take(blockElements));
  const addresses = networks.map(({ parameterCount, length }) => [
    take(length),
    take(parameterCount),
    take(parameterCount),
    take(length),
  ]);
  return { staging, blocks, addresses, pages: Math.ceil(end / pageBytes) };
}

/** Cut 0 .. count - 1 into up to `parts` ranges that begin at multiples of four. */
export function splitRange(count: number, parts: number): { begin: number; end: number }[] {
  const size = Math.max(4, Math.ceil(count / parts / 4) * 4);
  const ranges = [];
  for (let begin = 0; begin < count; begin += size) ranges.push({ begin, end: Math.min(count, begin + size) });
  return ranges;
}

function adamArguments(
  state: MasterState,
  { begin, end }: { begin: number; end: number },
  { replicas, learningRate, step, adam }: { replicas: number; learningRate: number; step: number; adam: AdamConfig },
): AdamArguments {
  const { beta1, beta2, epsilon } = adam;
  const offset = begin * elementBytes;
  return [
    state.vector.byteOffset + offset,
    state.firstMoments.byteOffset + offset,
    state.secondMoments.byteOffset + offset,
    state.sum.byteOffset + offset,
    end - begin,
    replicas,
    beta1,
    1 - beta1,
    beta2,
    1 - beta2,
    learningRate / (1 - power(beta1, step)),
    Math.sqrt(1 - power(beta2, step)),
    epsilon,
  ];
}

/** base^exponent by multiplications alone: unlike `Math.pow`, the same bits in every JavaScript engine. */
export function power(base: number, exponent: number): number {
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2), square *= square) {
    if (rest % 2 === 1) result *= square;
  }
  return result;
}
