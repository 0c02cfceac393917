import { homedir } from 'node:os';
import { FourfoldError } from '../errors/errors.js';

/**
 * Replace a leading `~` by the user's home: shells expand it only in some places (`~/x`, but not `"~/x"` or `--out=~/x`), and in configs
 * never. Throws `invalid` for another user's home, `~bob`, which only shells know.
 */
export function expandHome(path: string): string {
  const [, user, rest] = /^~([^/]*)(.*)$/s.exec(path) ?? [];
  if (user === undefined) return path;
  if (user === '') return homedir() + rest;
  throw new FourfoldError('invalid', `${path}: the home of ${user} is not known`, {
    hint: `write the full path, or ./${path} for a file of that name here`,
  });
}
