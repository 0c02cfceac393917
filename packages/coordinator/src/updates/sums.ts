import { copyBytes, FourfoldError } from '@fourfold/common';
import { cutBySection, elementBytesOf, type WireLayout } from '@fourfold/weights';
import { usableBelow } from './bad-gradient.js';
import type { UpdatedNetwork, Updater } from './types.js';
import { arithmeticOf, type UpdateModule } from './update-module.js';
import type { UpdateThreads } from './update-threads.js';

const elementBytes = Float32Array.BYTES_PER_ELEMENT;

export interface SumParts {
  module: UpdateModule;
  pool: UpdateThreads;
  /** The updater's memory, and where pieces and factors are put in it: addresses in bytes. */
  memory: ArrayBufferLike;
  places: { staging: number; factors: number };
  chunkBytes: number;
  threads: number;
}

/** The updater's sums: gradients added to them in each of the forms in which they come. */
// eslint-disable-next-line max-lines-per-function -- one method for each form of a gradient
export function createSums({
  module,
  pool,
  memory,
  places,
  chunkBytes,
  threads,
}: SumParts): Pick<Updater, 'accumulate' | 'accumulateShared' | 'accumulateFactors' | 'setSum'> {
  const staging = new Uint8Array(memory, places.staging, chunkBytes);
  return {
    accumulate(state, begin, bytes, first) {
      copyBytes(bytes, staging);
      const cuts = cutBySection(state.wires.gradients, begin, begin + bytes.byteLength).map((cut) => ({
        ...cut,
        source: places.staging + cut.byteBegin - begin,
        arithmetic: arithmeticOf(module, encodingOf(cut.section)),
      }));
      if (!cuts.every(({ source, count, arithmetic }) => arithmetic.allUsable(source, count))) return false;
      for (const { begin: element, count, source, arithmetic } of cuts) {
        const sum = addressOf(state.sum, element);
        arithmetic.accumulate(sum, source, count, first ? 1 : 0);
        module.roundInPlace(sum, roundedOf(state, element, count));
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
          rounded: roundedOf(state, cut.begin, cut.count),
          first: replica === 0,
        });
        const addedBytes = added * elementBytesOf({ encoding });
        if (failure) {
          return {
            added: cut.byteBegin + addedBytes - begin,
            failure: new FourfoldError(failure.code, failure.reason),
          };
        }
      }
      return { added: byteLength };
    },
    setSum(state, begin, bytes) {
      const cuts = cutBySection(state.wires.sums, begin, begin + bytes.byteLength);
      for (const { section, begin: element, count, byteBegin, byteEnd } of cuts) {
        const part = bytes.subarray(byteBegin - begin, byteEnd - begin);
        const sum = addressOf(state.sum, element);
        if (section.encoding === 'f32') copyBytes(part, new Uint8Array(memory, sum, part.byteLength));
        else {
          copyBytes(part, staging);
          module.accumulateBf16(sum, places.staging, count, 1);
        }
      }
    },
    async accumulateFactors(state, begin, read, first) {
      const section = state.wires.gradients.sections.find(({ byteBegin }) => byteBegin === begin);
      if (!section?.factors) throw new Error(`no factors begin at byte ${begin}`);
      const { rows, inputs, outputs } = section.factors;
      read(new Uint8Array(memory, places.factors, section.byteLength));
      const [x, dy] = [places.factors, places.factors + rows * inputs * elementBytes];
      const bound = rows * module.largest(x, rows * inputs) * module.largest(dy, rows * outputs);
      if (!(bound < usableBelow)) {
        return { added: 0, failure: new FourfoldError('invalid', 'not finite, or too large to multiply') };
      }
      const sum = addressOf(state.sum, section.begin);
      await spread(inputs, threads, (from, to, thread) =>
        pool.run(thread, {
          type: 'product',
          range: { sum, x, dy, rows, inputs, outputs, begin: from, end: to },
          first,
          isRounded: state.roundedSums === true,
        }),
      );
      return { added: section.byteLength };
    },
  };
}

/** How many of `count` elements of the sum, from `begin` on, are rounded after an addition: its parameters come first. */
const roundedOf = ({ roundedSums, parameterCount }: UpdatedNetwork, begin: number, count: number): number =>
  roundedSums ? Math.min(count, Math.max(0, parameterCount - begin)) : 0;

export const addressOf = (vector: Float32Array, element: number): number => vector.byteOffset + element * elementBytes;

/** Split `count` elements among the threads; resolves when all are done. */
export async function spread(
  count: number,
  threads: number,
  run: (begin: number, end: number, thread: number) => Promise<void>,
): Promise<void> {
  await Promise.all(splitRange(count, threads).map(({ begin, end }, thread) => run(begin, end, thread)));
}

/** Cut 0 .. count - 1 into up to `parts` ranges that begin at multiples of four. */
export function splitRange(count: number, parts: number): { begin: number; end: number }[] {
  const size = Math.max(4, Math.ceil(count / parts / 4) * 4);
  const ranges = [];
  for (let begin = 0; begin < count; begin += size) ranges.push({ begin, end: Math.min(count, begin + size) });
  return ranges;
}

/** The encoding of a section of single elements. */
function encodingOf({ encoding }: WireLayout['sections'][number]): 'f32' | 'bf16' {
  if (encoding === 'factors') throw new Error('factors are added whole');
  return encoding;
}
