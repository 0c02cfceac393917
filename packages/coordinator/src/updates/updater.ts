import { cutBySection, isUnrounded, type WireLayout } from '@fourfold/weights';
import { FourfoldError, type AdamConfig } from '@fourfold/common';
import { usableBelow } from './bad-gradient.js';
import { arithmeticOf, instantiateUpdateModule, type AdamRange } from './update-module.js';
import { startUpdateThreads } from './update-threads.js';
import { planMemory } from './updater-memory.js';
import type { UpdatedNetwork, MasterState, Updater } from './types.js';

/** Batch norm's running averages move by this much an update (PyTorch's momentum). */
const averageMomentum = 0.1;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;

/**
 * The coordinator's arithmetic over one shared WebAssembly memory, spread over `threads` threads besides this one. The
 * bits do not depend on the number of threads. `chunkBytes` is the most that `accumulate` takes.
 */
export function createUpdater(networks: readonly UpdatedNetwork[], threads: number, chunkBytes: number): Updater {
  const plan = planMemory(networks, chunkBytes, threads);
  const memory = new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages, shared: true });
  const module = instantiateUpdateModule(memory);
  const view = (address: number, length: number) => new Float32Array(memory.buffer, address, length);
  const states = networks.map((network, i): MasterState => {
    const { parameterCount, length, wires } = network;
    const { vector, average, firstMoments, secondMoments, sum, wire } = plan.addresses[i];
    return {
      ...network,
      vector: view(vector, length),
      ...(average !== undefined && { average: view(average, length) }),
      firstMoments: view(firstMoments, parameterCount),
      secondMoments: view(secondMoments, parameterCount),
      sum: view(sum, length),
      wire: new Uint8Array(memory.buffer, wire, wires.parameters.byteLength),
    };
  });
  const staging = new Uint8Array(memory.buffer, plan.staging, chunkBytes);
  const pool = startUpdateThreads(plan.blocks.map((block) => ({ memory, block, blockBytes: plan.blockBytes })));
  /** Split `count` among the threads. */
  const spread = async (count: number, run: (begin: number, end: number, thread: number) => Promise<void>) => {
    await Promise.all(splitRange(count, threads).map(({ begin, end }, thread) => run(begin, end, thread)));
  };
  const addressOf = (vector: Float32Array, element: number) => vector.byteOffset + element * elementBytes;

  return {
    states,
    accumulate(state, begin, bytes, first) {
      staging.set(bytes);
      const cuts = cutBySection(state.wires.gradients, begin, begin + bytes.byteLength).map((cut) => ({
        ...cut,
        source: plan.staging + cut.byteBegin - begin,
        arithmetic: arithmeticOf(module, encodingOf(cut.section)),
      }));
      if (!cuts.every(({ source, count, arithmetic }) => arithmetic.allUsable(source, count))) return false;
      for (const { begin: element, count, source, arithmetic } of cuts) {
        arithmetic.accumulate(addressOf(state.sum, element), source, count, first ? 1 : 0);
      }
      return true;
    },
    async accumulateShared(state, { begin, byteLength, ...file }, replica) {
      for (const cut of cutBySection(state.wires.gradients, begin, begin + byteLength)) {
        const encoding = encodingOf(cut.section);
        const { added, failure } = await pool.reduce(replica % threads, {
          ...file,
          begin: cut.byteBegin,
          encoding,
          count: cut.count,
          sum: addressOf(state.sum, cut.begin),
          first: replica === 0,
        });
        const addedBytes = added * (encoding === 'bf16' ? elementBytes / 2 : elementBytes);
        if (failure) {
          return {
            added: cut.byteBegin + addedBytes - begin,
            failure: new FourfoldError(failure.code, failure.reason),
          };
        }
      }
      return { added: byteLength };
    },
    async accumulateFactors(state, begin, read, first) {
      const section = state.wires.gradients.sections.find(({ byteBegin }) => byteBegin === begin);
      if (!section?.factors) throw new Error(`no factors begin at byte ${begin}`);
      const { rows, inputs, outputs } = section.factors;
      read(new Uint8Array(memory.buffer, plan.factors, section.byteLength));
      const [x, dy] = [plan.factors, plan.factors + rows * inputs * elementBytes];
      const bound = rows * module.largest(x, rows * inputs) * module.largest(dy, rows * outputs);
      if (!(bound < usableBelow)) {
        return { added: 0, failure: new FourfoldError('invalid', 'not finite, or too large to multiply') };
      }
      const sum = addressOf(state.sum, section.begin);
      await spread(inputs, (from, to, thread) =>
        pool.run(thread, {
          type: 'product',
          range: { sum, x, dy, rows, inputs, outputs, begin: from, end: to },
          first,
        }),
      );
      return { added: section.byteLength };
    },
    async encodeParameters({ vector, wire, wires }) {
      if (isUnrounded(wires.parameters)) return;
      for (const { encoding, begin, count, byteBegin, byteLength } of wires.parameters.sections) {
        if (encoding === 'bf16') {
          await spread(count, (from, to, thread) => {
            const target = wire.byteOffset + byteBegin + from * (elementBytes / 2);
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
    async apply(state, update) {
      await spread(state.parameterCount, (begin, end, thread) =>
        pool.run(thread, { type: 'adam', range: adamRange(state, { begin, end }, update) }),
      );
      const { parameterCount, vector, average, averageDecay, sum } = state;
      module.moveAverages(
        addressOf(vector, parameterCount),
        addressOf(sum, parameterCount),
        vector.length - parameterCount,
        update.replicas,
        averageMomentum,
      );
      if (average && averageDecay !== undefined) {
        module.moveAverages(addressOf(average, 0), addressOf(vector, 0), vector.length, 1, 1 - averageDecay);
      }
    },
    close: () => pool.close(),
  };
}

/** The encoding of a section of single elements. */
function encodingOf({ encoding }: WireLayout['sections'][number]): 'f32' | 'bf16' {
  if (encoding === 'factors') throw new Error('factors are added whole');
  return encoding;
}

/** Cut 0 .. count - 1 into up to `parts` ranges that begin at multiples of four. */
export function splitRange(count: number, parts: number): { begin: number; end: number }[] {
  const size = Math.max(4, Math.ceil(count / parts / 4) * 4);
  const ranges = [];
  for (let begin = 0; begin < count; begin += size) ranges.push({ begin, end: Math.min(count, begin + size) });
  return ranges;
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
