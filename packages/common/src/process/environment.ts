import { readFileSync } from 'node:fs';
import { FourfoldError } from '../errors/errors.js';
import { expandHome } from '../files/home.js';

export type Environment = Record<string, string | undefined>;

/**
 * Read a secret: the value of an environment variable, or the contents of the file named by the same variable with `_FILE`
 * appended. Undefined if neither is set. Throws `invalid` naming the variable, never the value.
 */
export function readSecret(environment: Environment, variable: string): string | undefined {
  const value = environment[variable];
  if (value) return value;
  const path = environment[`${variable}_FILE`];
  if (!path) return undefined;
  try {
    return readFileSync(expandHome(path), 'utf8').trim();
  } catch (cause) {
    throw new FourfoldError('invalid', `${variable}_FILE: ${path} cannot be read`, { cause });
  }
}
