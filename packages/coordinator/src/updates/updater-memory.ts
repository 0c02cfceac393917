import { isUnrounded } from '@fourfold/weights';
import type { UpdatedNetwork } from './types.js';

const pageBytes = 65_536;
/** After every vector, for arithmetic in lanes of four. */
const paddingBytes = 16;
const elementBytes = Float32Array.BYTES_PER_ELEMENT;
/** What a thread reads and adds at once: half of what a core's second-level cache commonly holds, or less. */
const commonBlockBytes = 256 << 10;
/** Floats that a thread needs for each row of factors. */
const scratchOfRow = 12;

/** Where everything lies in the updater's memory: addresses in bytes. */
export function planMemory(networks: readonly UpdatedNetwork[], chunkBytes: number, threads: number) {
  let end = pageBytes;
  const take = (bytes: number) => {
    const address = end;
    end += Math.ceil((bytes + paddingBytes) / 64) * 64;
    return address;
  };
  const factors = networks.flatMap(({ wires }) =>
    wires.gradients.sections.filter(({ encoding }) => encoding === 'factors'),
  );
  const rows = Math.max(0, ...factors.map((section) => section.factors?.rows ?? 0));
  const blockBytes = Math.max(commonBlockBytes, rows * scratchOfRow * elementBytes);
  return {
    staging: take(chunkBytes),
    factors: take(Math.max(0, ...factors.map(({ byteLength }) => byteLength))),
    blockBytes,
    blocks: Array.from({ length: threads }, () => take(blockBytes)),
    addresses: networks.map(({ parameterCount, length, averageDecay, wires: { parameters, deltas } }) => {
      const takeCopy = () => ({
        vector: take(length * elementBytes),
        average: averageDecay === undefined ? undefined : take(length * elementBytes),
        firstMoments: take(parameterCount * elementBytes),
        secondMoments: take(parameterCount * elementBytes),
        view: deltas && { vector: take(length * elementBytes), deltas: take(deltas.byteLength) },
        wire: isUnrounded(parameters) ? undefined : take(parameters.byteLength),
      });
      return {
        copies: [takeCopy(), takeCopy()],
        sum: take(length * elementBytes),
      };
    }),
    pages: Math.ceil(end / pageBytes),
  };
}
