/*
 * With `exchange.parameters: int8` a network's parameters cross as deltas: what its next version adds to what workers hold, in
 * blocks of a float32 scale and one byte an element. Statistics follow in float32, as they are.
 */

/** Where the parts of a network's deltas lie. */
export interface DeltaLayout {
  parameterCount: number;
  statisticCount: number;
  /** First byte of the statistics; a multiple of 4. */
  statisticsBegin: number;
  byteLength: number;
}

/** Elements of a block; the last one may have fewer. `blockElements` in packages/rpc/assembly/deltas.ts. */
export const blockElements = 256;
/** Bytes of a whole block. */
export const blockBytes = 4 + blockElements;

/** The layout of the deltas of a network with so many parameters and statistics. */
export function createDeltaLayout({
  parameterCount,
  statisticCount,
}: Pick<DeltaLayout, 'parameterCount' | 'statisticCount'>): DeltaLayout {
  const rest = parameterCount % blockElements;
  const wholeBytes = Math.floor(parameterCount / blockElements) * blockBytes;
  const statisticsBegin = wholeBytes + (rest > 0 ? 4 + Math.ceil(rest / 4) * 4 : 0);
  return { parameterCount, statisticCount, statisticsBegin, byteLength: statisticsBegin + statisticCount * 4 };
}

/** How many bytes of deltas, from the first on, are made of whole blocks of elements before `element`, or of all parameters. */
export const deltaBytesBefore = ({ parameterCount, statisticsBegin }: DeltaLayout, element: number): number =>
  element < parameterCount ? Math.floor(element / blockElements) * blockBytes : statisticsBegin;
