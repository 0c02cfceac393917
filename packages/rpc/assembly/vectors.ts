export { roundToBf16, widenBf16 } from './bf16';
export { applyDeltas } from './deltas';
