import { addressOf } from './sums.js';
import type { MasterState, StateCopy, UpdateNumbers } from './types.js';
import type { AdamPlaces, AdamRange } from './update-module.js';

/** Adam from the committed copy to the staged one, for the elements `begin` .. `end - 1`. */
export function adamRange(
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
