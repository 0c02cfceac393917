/*
 * Errors alone, for programs that load nothing else of this package: what a failure is, how it is described, which word was meant.
 */

export { type ErrorCode, exitCodes } from './error-codes.js';
export {
  FourfoldError,
  asOfMachine,
  describeError,
  exitCodeOf,
  isOfSystem,
  systemErrorCode,
  transferFailure,
} from './errors.js';
export { didYouMean, nearest } from './nearest.js';
export { systemFailureCode, systemReason } from './system-errors.js';
