import { failureError, FourfoldError } from '@fourfold/common';
import type { PartExit } from './child.js';

/** Why a part ended, as text. */
export function describeEnd({ code, signal, leaving }: PartExit): string {
  if (leaving) return leaving.reason;
  return signal ? `it was killed by ${signal}` : `it ended with code ${code}`;
}

/** A part's end as an error. */
export function endError(end: PartExit): FourfoldError {
  if (end.leaving) return failureError(end.leaving.code, end.leaving.reason);
  return new FourfoldError(end.code === 2 ? 'invalid' : 'unavailable', describeEnd(end));
}
