import { addressOf } from './sums.js';
import type { MasterState, UpdateNumbers } from './types.js';
import type { UpdateThreads } from './update-threads.js';

/** What PyTorch adds to a norm before it divides by it. */
const clipEpsilon = 1e-6;
/** Elements whose squares a thread sums at once. */
const squaresBlock = 1 << 18;

interface NormParts {
  pool: Pick<UpdateThreads, 'sumOfSquares'>;
  threads: number;
}

/** What the sum is divided by: the number of replicas, or more if the mean gradient is longer than `clipNorm`. */
export async function divisorOf(
  parts: NormParts,
  state: Pick<MasterState, 'sum' | 'parameterCount'>,
  { replicas, clipNorm }: Pick<UpdateNumbers, 'replicas' | 'clipNorm'>,
): Promise<number> {
  if (clipNorm === undefined) return replicas;
  const squares = await sumOfSquares(parts, state);
  return replicas * Math.max(1, (Math.sqrt(squares) / replicas + clipEpsilon) / clipNorm);
}

/** Over blocks of a fixed size, whose sums are added in their order: the bits do not depend on the number of threads. */
async function sumOfSquares(
  { pool, threads }: NormParts,
  { sum, parameterCount }: Pick<MasterState, 'sum' | 'parameterCount'>,
): Promise<number> {
  const blocks = Array.from({ length: Math.ceil(parameterCount / squaresBlock) }, (_, block) => {
    const begin = block * squaresBlock;
    const count = Math.min(squaresBlock, parameterCount - begin);
    return pool.sumOfSquares(block % threads, { source: addressOf(sum, begin), count });
  });
  return (await Promise.all(blocks)).reduce((total, squares) => total + squares, 0);
}
