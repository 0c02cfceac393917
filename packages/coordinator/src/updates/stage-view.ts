import { blockBytes, blockElements } from '@fourfold/weights';
import { addressOf, spread } from './sums.js';
import type { MasterState } from './types.js';
import type { UpdateThreads } from './update-threads.js';

/**
 * Write what workers will hold of the staged vector, and the deltas that take them there, where parameters cross as deltas. Resolves
 * with the first element whose difference is not finite, if there is one.
 */
export async function stageView(
  { pool, threads }: { pool: Pick<UpdateThreads, 'deltas'>; threads: number },
  { parameterCount, wires, committed, staged }: MasterState,
): Promise<number | undefined> {
  const [from, to, master] = [committed.view, staged.view, staged.vector];
  if (!from || !to || !wires.deltas) return undefined;
  let isFinite = true;
  await spread(Math.ceil(parameterCount / blockElements), threads, async (begin, end, thread) => {
    const element = begin * blockElements;
    const isRangeFinite = await pool.deltas(thread, {
      master: addressOf(master, element),
      view: addressOf(from.vector, element),
      newView: addressOf(to.vector, element),
      deltas: to.deltas.byteOffset + begin * blockBytes,
      count: Math.min(end * blockElements, parameterCount) - element,
    });
    isFinite &&= isRangeFinite;
  });
  const statistics = master.subarray(parameterCount);
  to.vector.set(statistics, parameterCount);
  const bytes = new Uint8Array(statistics.buffer, statistics.byteOffset, statistics.byteLength);
  to.deltas.set(bytes, wires.deltas.statisticsBegin);
  if (isFinite) return undefined;
  return master.findIndex((value, i) => !Number.isFinite(Math.fround(value - from.vector[i])));
}
