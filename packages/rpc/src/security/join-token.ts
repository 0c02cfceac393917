import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readSecret, type Environment, FourfoldError } from '@fourfold/common';

/** The variable that holds the token, or that with `_FILE` appended names a file with it. */
export const joinTokenVariable = 'FOURFOLD_JOIN_TOKEN';

/** The token with which workers join; undefined if none is set. Throws `invalid` if it is not a valid token. */
export function readJoinToken(environment: Environment): string | undefined {
  const token = readSecret(environment, joinTokenVariable);
  if (token === undefined || /^[\x21-\x7e]{16,256}$/.test(token)) return token;
  throw new FourfoldError(
    'invalid',
    `${joinTokenVariable} must be 16 to 256 printable ASCII characters without spaces`,
  );
}

/** A token that cannot be guessed. */
export const randomJoinToken = (): string => randomBytes(24).toString('base64url');

/** Whether two secrets are equal, in a time that reveals nothing about either. */
export function equalSecrets(a: string, b: string): boolean {
  const [left, right] = [a, b].map((secret) => createHash('sha256').update(secret).digest());
  return timingSafeEqual(left, right);
}
