import { elementsBefore, type NetworkWires } from '@fourfold/weights';

/** How much of a network's sum is there while it comes along the chain, and products of factors beside it. */
export interface SumProgress {
  /** The sum has come up to this byte. */
  came: (byte: number) => void;
  /** The products are in the sum. */
  multiplied: () => void;
}

/** `advance` hears of each element before which the whole sum is there. */
export function createSumProgress(
  { sums, gradients }: Pick<NetworkWires, 'sums' | 'gradients'>,
  advance: (element: number) => void,
): SumProgress {
  const factored = gradients.sections.find(({ encoding }) => encoding === 'factors');
  let without = factored?.begin ?? Infinity;
  let summed = 0;
  const said = () => advance(Math.min(summed, without));
  return {
    came(byte) {
      summed = elementsBefore(sums, byte);
      said();
    },
    multiplied() {
      without = Infinity;
      said();
    },
  };
}
