import { blockElements } from '@fourfold/weights';
import { adamRange } from './adam-range.js';
import { divisorOf } from './gradient-norm.js';
import { stageWire, stageWireStatistics } from './stage-wire.js';
import { addressOf, spread } from './sums.js';
import type { MasterState, StagedUpdate, UpdateNumbers } from './types.js';
import type { UpdateModule } from './update-module.js';
import type { UpdateThreads } from './update-threads.js';

/** Batch norm's running averages move by this much an update (PyTorch's momentum). */
const averageMomentum = 0.1;

export interface StageParts {
  module: UpdateModule;
  pool: UpdateThreads;
  threads: number;
}

/**
 * Begin to write what an update makes of the committed copy into the staged one, once `ready` has resolved. `onReached` hears that more of
 * the parameters are there.
 */
export function stageUpdate(
  parts: StageParts,
  state: MasterState,
  given: UpdateNumbers,
  { ready = Promise.resolve(), onReached = () => undefined }: { ready?: Promise<void>; onReached?: () => void } = {},
): StagedUpdate {
  const { parameterCount } = state;
  let update = given;
  /** The sum's elements that are there, and the parameters that are done. */
  let [summed, done] = [0, 0];
  let [isDropped, isFinite] = [false, true];
  let work = ready;

  async function stageSummed(): Promise<void> {
    const end = summed === parameterCount ? summed : summed - (summed % blockElements);
    if (isDropped || !isFinite || end <= done) return;
    isFinite = await stageRange(parts, state, update, { begin: done, end });
    if (!isFinite) return;
    done = end;
    onReached();
  }

  const advance = (end: number): void => {
    summed = Math.max(summed, Math.min(end, parameterCount));
    work = work.then(stageSummed);
    // `finish` and `drop` await it.
    work.catch(() => undefined);
  };

  return {
    advance(end) {
      // A norm to clip by is that of the whole sum.
      if (given.clipNorm === undefined) advance(end);
    },
    reached: () => done,
    async finish() {
      update = { ...given, replicas: await divisorOf(parts, state, given) };
      advance(parameterCount);
      await work;
      if (!isFinite) return firstNotFinite(state);
      stageAverages(parts.module, state, given.replicas);
      if (!state.staged.vector.subarray(parameterCount).every(Number.isFinite)) return firstNotFinite(state);
      await stageWireStatistics(parts, state);
      return undefined;
    },
    async drop() {
      isDropped = true;
      await work.catch(() => undefined);
    },
  };
}

/** Adam on the parameters `begin` .. `end - 1`, and what crosses of them. Resolves with whether all are finite. */
async function stageRange(
  parts: StageParts,
  state: MasterState,
  update: UpdateNumbers,
  { begin, end }: { begin: number; end: number },
): Promise<boolean> {
  let isFinite = true;
  await spread(end - begin, parts.threads, async (from, to, thread) => {
    const range = adamRange(state, { begin: begin + from, end: begin + to }, update);
    const isPartFinite = await parts.pool.adam(thread, range);
    isFinite &&= isPartFinite;
  });
  return isFinite && (await stageWire(parts, state, { begin, end }));
}

/** Batch norm's running averages, and the vector's moving average. */
function stageAverages(module: UpdateModule, state: MasterState, replicas: number): void {
  const { parameterCount, length, sum, committed, staged, averageDecay, frozenStatistics } = state;
  const statistics = (vector: Float32Array) => addressOf(vector, parameterCount);
  if (frozenStatistics) {
    staged.vector.set(committed.vector.subarray(parameterCount), parameterCount);
  } else {
    module.moveAverages(
      statistics(staged.vector),
      statistics(committed.vector),
      statistics(sum),
      length - parameterCount,
      replicas,
      averageMomentum,
    );
  }
  if (!staged.average || !committed.average || averageDecay === undefined) return;
  module.moveAverages(
    addressOf(staged.average, 0),
    addressOf(committed.average, 0),
    addressOf(staged.vector, 0),
    length,
    1,
    1 - averageDecay,
  );
}

/** The first element whose weight, statistic or second moment is NaN or infinite, or whose delta is. */
function firstNotFinite({ committed, staged, parameterCount }: MasterState): number {
  const { vector, secondMoments } = staged;
  const view = committed.view?.vector;
  const isBad = (value: number | undefined) => value !== undefined && !Number.isFinite(value);
  const isDeltaBad = (value: number, i: number) =>
    view !== undefined && i < parameterCount && isBad(Math.fround(value - view[i]));
  return vector.findIndex((value, i) => isBad(value) || isBad(secondMoments[i]) || isDeltaBad(value, i));
}
