import { failureError, FourfoldError } from '@fourfold/common';
import type { PartExit } from './child.js';

/** Why a part ended, in words. */
export function describeEnd({ code, signal, leaving }: PartExit): string {
  if (leaving) return leaving.reason;
  return signal ? `it died by ${signal}` : `it ended with code ${code}`;
}

/** The error that a part's end is to who needed it. */
export function endError(end: PartExit): FourfoldError {
  if (end.leaving) return failureError(end.leaving.code, end.leaving.reason);
  return new FourfoldError(end.code === 2 ? 'invalid' : 'unavailable', describeEnd(end));
}
