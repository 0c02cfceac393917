export { roundInPlace, roundToBf16, widenBf16 } from './bf16';
export { applyDeltas } from './deltas';
export { frameCheck } from './frame-check';
export { accumulate, accumulateBf16, allUsable, allUsableBf16 } from './sum';
