import { stageView } from './stage-view.js';
import { addressOf, spread } from './sums.js';
import type { MasterState, StateCopy, UpdateNumbers } from './types.js';
import type { AdamPlaces, AdamRange, UpdateModule } from './update-module.js';
import type { UpdateThreads } from './update-threads.js';

/** Batch norm's running averages move by this much an update (PyTorch's momentum). */
const averageMomentum = 0.1;
/** What PyTorch adds to a norm before it divides by it. */
const clipEpsilon = 1e-6;
/** Elements whose squares a thread sums at once. */
const squaresBlock = 1 << 18;

export interface StageParts {
  module: UpdateModule;
  pool: UpdateThreads;
  threads: number;
}

/**
 * Write what an update makes of the committed copy into the staged one. Resolves with the first element whose weight, second moment or
 * delta is NaN or infinite, if there is one.
 */
export async function stageUpdate(
  { module, pool, threads }: StageParts,
  state: MasterState,
  given: UpdateNumbers,
): Promise<number | undefined> {
  const update = { ...given, replicas: await divisorOf({ pool, threads }, state, given) };
  const { parameterCount, length, sum, committed, staged, averageDecay, frozenStatistics } = state;
  let isFinite = true;
  await spread(parameterCount, threads, async (begin, end, thread) => {
    const isRangeFinite = await pool.adam(thread, adamRange(state, { begin, end }, update));
    isFinite &&= isRangeFinite;
  });
  const statistics = (vector: Float32Array) => addressOf(vector, parameterCount);
  if (frozenStatistics) {
    staged.vector.set(committed.vector.subarray(parameterCount), parameterCount);
  } else {
    module.moveAverages(
      statistics(staged.vector),
      statistics(committed.vector),
      statistics(sum),
      length - parameterCount,
      given.replicas,
      averageMomentum,
    );
  }
  if (staged.average && committed.average && averageDecay !== undefined) {
    module.moveAverages(
      addressOf(staged.average, 0),
      addressOf(committed.average, 0),
      addressOf(staged.vector, 0),
      length,
      1,
      1 - averageDecay,
    );
  }
  const areStatisticsFinite = staged.vector.subarray(parameterCount).every(Number.isFinite);
  if (!isFinite || !areStatisticsFinite) return firstNotFinite(staged);
  return stageView({ pool, threads }, state);
}

/** The first element whose weight, statistic or second moment is NaN or infinite. */
function firstNotFinite({ vector, secondMoments }: StateCopy): number {
  const isBad = (value: number | undefined) => value !== undefined && !Number.isFinite(value);
  return vector.findIndex((value, i) => isBad(value) || isBad(secondMoments[i]));
}

/** What the sum is divided by: the number of replicas, or more if the mean gradient is longer than `clipNorm`. */
async function divisorOf(
  parts: Pick<StageParts, 'pool' | 'threads'>,
  state: MasterState,
  { replicas, clipNorm }: Pick<UpdateNumbers, 'replicas' | 'clipNorm'>,
): Promise<number> {
  if (clipNorm === undefined) return replicas;
  const squares = await sumOfSquares(parts, state);
  return replicas * Math.max(1, (Math.sqrt(squares) / replicas + clipEpsilon) / clipNorm);
}

/** Over blocks of a fixed size, whose sums are added in their order: the bits do not depend on the number of threads. */
async function sumOfSquares(
  { pool, threads }: Pick<StageParts, 'pool' | 'threads'>,
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
  { committed, staged, sum }: MasterState,
  { begin, end }: { begin: number; end: number },
  { replicas, learningRate, step, adam }: UpdateNumbers,
): AdamRange {
  const { beta1, beta2, epsilon } = adam;
  return {
    from: placesOf(committed, begin),
    to: placesOf(staged, begin),
    sum: addressOf(sum, begin),
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

const placesOf = ({ vector, firstMoments, secondMoments }: StateCopy, element: number): AdamPlaces => ({
  parameters: addressOf(vector, element),
  firstMoments: addressOf(firstMoments, element),
  secondMoments: addressOf(secondMoments, element),
});

/** base^exponent by multiplication alone: unlike `Math.pow`, the same bits in every JavaScript engine. */
export function power(base: number, exponent: number): number {
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2), square *= square) {
    if (rest % 2 === 1) result *= square;
  }
  return result;
}
