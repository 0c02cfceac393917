import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { pieceElements, piecesUnderWay, type AdamConfig } from '@fourfold/common';
import { instantiateUpdateModule, type AdamArguments } from './update-module.js';

/** Batch norm's running averages move by this much an update (PyTorch's momentum). */
const averageMomentum = 0.1;
const pageBytes = 65_536;
/** Behind every vector, for arithmetic in lanes of four. */
const paddingBytes = 16;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;
/** Gradients that are taken at once: the next one is on its way while one is added. */
export const gradientsAtOnce = 2;
const buffersAGradient = piecesUnderWay + 1;

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

export interface Updater {
  readonly states: readonly MasterState[];
  /**
   * Where a piece of a replica's gradient, `pieceElements` at most, may be written before it is accumulated, which saves a
   * copy: for the first replica the sum itself, for others one of a few buffers in turn. Of `gradientsAtOnce` replicas that
   * follow one another each has its own.
   */
  pieceBuffer(state: MasterState, replica: number, begin: number, count: number): Uint8Array;
  /**
   * Add a chunk of a replica's gradient to the sum, or set the sum to it for the first replica. Returns false when an
   * element is not finite; the sum is what it was before, then, but where the chunk lies in it.
   */
  accumulate(state: MasterState, begin: number, chunk: Uint8Array, first: boolean): boolean;
  /** One update from the sum: Adam's step number `step` (from 1) on the parameters, running averages on the rest. */
  apply(
    state: MasterState,
    update: { replicas: number; learningRate: number; step: number; adam: AdamConfig },
  ): Promise<void>;
  close(): Promise<void>;
}

/**
 * The coordinator's arithmetic over one shared WebAssembly memory, Adam spread over `threads` threads. The bits do not
 * depend on the number of threads. `chunkElements` bounds the chunks that `accumulate` takes.
 */
export function createUpdater(
  networks: readonly { parameterCount: number; length: number }[],
  threads: number,
  chunkElements: number,
): Updater {
  const plan = planMemory(networks, chunkElements);
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
  const bytes = new Uint8Array(memory.buffer);
  const lanes = plan.pieces.map((buffers) => ({ buffers, given: 0 }));
  const helpers = Array.from(
    { length: threads - 1 },
    () => new Worker(new URL('../dist/update-thread.js', import.meta.url), { workerData: memory }),
  );
  return {
    states,
    pieceBuffer(state, replica, begin, count) {
      const lane = lanes[replica % gradientsAtOnce];
      const inSum = state.sum.byteOffset + begin * elementBytes;
      const address = replica === 0 ? inSum : lane.buffers[lane.given++ % lane.buffers.length];
      return new Uint8Array(memory.buffer, address, count * elementBytes);
    },
    accumulate(state, begin, chunk, first) {
      const count = chunk.byteLength / elementBytes;
      const target = state.sum.byteOffset + begin * elementBytes;
      const isHere = chunk.buffer === memory.buffer;
      const source = isHere ? chunk.byteOffset : plan.staging;
      if (!isHere) staging.set(chunk);
      // Behind the sum there are zeros, or more of the sum.
      if (source !== target) bytes.fill(0, source + chunk.byteLength, source + chunk.byteLength + paddingBytes);
      if (!module.allFinite(source, count)) return false;
      if (source !== target) module.accumulate(target, source, count, first ? 1 : 0);
      return true;
    },
    async apply(state, update) {
      const ranges = splitRange(state.parameterCount, threads).map((range) => adamArguments(state, range, update));
      const answers = ranges.slice(1).map((args, i) => {
        helpers[i].postMessage(args);
        return once(helpers[i], 'message');
      });
      module.adam(...ranges[0]);
      await Promise.all(answers);
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
    async close() {
      await Promise.all(helpers.map((helper) => helper.terminate()));
    },
  };
}

function planMemory(networks: readonly { parameterCount: number; length: number }[], chunkElements: number) {
  let end = pageBytes;
  const take = (elements: number) => {
    const address = end;
    end += Math.ceil((elements * elementBytes + paddingBytes) / 64) * 64;
    return address;
  };
  const staging = take(chunkElements);
  const longest = Math.min(pieceElements, Math.max(...networks.map(({ length }) => length)));
  const pieces = Array.from({ length: gradientsAtOnce }, () =>
    Array.from({ length: buffersAGradient }, () => take(longest)),
  );
  const addresses = networks.map(({ parameterCount, length }) => [
    take(length),
    take(parameterCount),
    take(parameterCount),
    take(length),
  ]);
  return { staging, pieces, addresses, pages: Math.ceil(end / pageBytes) };
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
