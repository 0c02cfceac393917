import { homedir } from 'node:os';
import { FourfoldError } from './errors.js';

/**
 * A path whose leading `~` is the user's home: shells expand it in some places (`~/x`, `"~/x"` not, `--out=~/x` not), configs never. Throws
 * `invalid` for another user's, `~bob`, which only shells know.
 */
export function expandHome(path: string): string {
  const [, user, rest] = /^~([^/]*)(.*)$/s.exec(path) ?? [];
  if (user === undefined) return path;
  if (user === '') return homedir() + rest;
  throw new FourfoldError('invalid', `${path}: the home of ${user} is not looked for`, {
    hint: `write its whole path, or ./${path} for what has that name here`,
  });
}
