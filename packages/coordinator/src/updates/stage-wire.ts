import { copyBytes } from '@fourfold/common';
import { blockBytes, blockElements, cutByElement, elementBytesOf, isUnrounded } from '@fourfold/weights';
import { addressOf, spread } from './sums.js';
import type { MasterState, StateCopy, UpdatedNetwork } from './types.js';
import type { UpdateThreads } from './update-threads.js';

/*
 * What crosses to workers of a vector: its elements rounded, or what takes workers from what they hold to the new ones.
 */

interface WireParts {
  pool: Pick<UpdateThreads, 'deltas' | 'run'>;
  threads: number;
}

interface Range {
  begin: number;
  end: number;
}

/**
 * Make what crosses of the staged parameters `begin` .. `end - 1`, and what workers will then hold; `begin` is a whole number of blocks.
 * Resolves with whether all deltas are finite.
 */
export async function stageWire(parts: WireParts, state: MasterState, range: Range): Promise<boolean> {
  const [from, to, master] = [state.committed.view, state.staged.view, state.staged.vector];
  if (!from || !to) {
    await encodeRange(parts, state.staged, state.wires, range);
    return true;
  }
  let isFinite = true;
  const blocks = Math.ceil((range.end - range.begin) / blockElements);
  await spread(blocks, parts.threads, async (begin, end, thread) => {
    const element = range.begin + begin * blockElements;
    const isRangeFinite = await parts.pool.deltas(thread, {
      master: addressOf(master, element),
      view: addressOf(from.vector, element),
      newView: addressOf(to.vector, element),
      deltas: to.deltas.byteOffset + (element / blockElements) * blockBytes,
      count: Math.min(range.begin + end * blockElements, range.end) - element,
    });
    isFinite &&= isRangeFinite;
  });
  return isFinite;
}

/** Make what crosses of the staged running averages. */
export async function stageWireStatistics(
  parts: WireParts,
  { parameterCount, length, wires, staged }: Pick<MasterState, 'parameterCount' | 'length' | 'wires' | 'staged'>,
): Promise<void> {
  const { vector, view } = staged;
  if (!view || !wires.deltas) return encodeRange(parts, staged, wires, { begin: parameterCount, end: length });
  const statistics = vector.subarray(parameterCount);
  view.vector.set(statistics, parameterCount);
  view.deltas.set(bytesOf(statistics), wires.deltas.statisticsBegin);
}

/** Round a range of a copy's vector for the wire; nothing where it crosses as it is. */
export async function encodeRange(
  { pool, threads }: WireParts,
  { vector, wire }: Pick<StateCopy, 'vector' | 'wire'>,
  { parameters }: Pick<UpdatedNetwork['wires'], 'parameters'>,
  { begin, end }: Range,
): Promise<void> {
  if (!wire || isUnrounded(parameters)) return;
  for (const { section, byteBegin, begin: first, count } of cutByElement(parameters, begin, end)) {
    if (section.encoding === 'bf16') {
      await spread(count, threads, (from, to, thread) => {
        const target = wire.byteOffset + byteBegin + from * elementBytesOf(section);
        return pool.run(thread, { type: 'round', source: addressOf(vector, first + from), target, count: to - from });
      });
    } else {
      copyBytes(bytesOf(vector.subarray(first, first + count)), wire.subarray(byteBegin));
    }
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
