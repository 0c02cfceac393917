import { existsSync } from 'node:fs';
import { expandHome } from '@fourfold/common/basics';

/** What may precede a path within an argument: an option, a name (`srgan=~/x`), a scheme. */
const argument = /^(?<before>(?:--[\w-]+=)?(?:[\w.-]+=)?(?:file:)?)(?<path>~.*)$/s;

/**
 * Arguments as the user means them. A path that begins with `~` is in the user's home, as in configs. A file whose name begins
 * with a dash is a file: no command has an option of one dash and several letters. Throws `invalid` for another user's home.
 */
export function readArguments(given: readonly string[]): string[] {
  const end = given.indexOf('--');
  return given.map((text, i) => {
    const isBeforeEnd = end === -1 || i < end;
    return isBeforeEnd && isDashedFile(text) ? `./${text}` : withHome(text);
  });
}

function withHome(text: string): string {
  const { before = '', path } = argument.exec(text)?.groups ?? {};
  if (path === undefined) return text;
  // A file such as ~draft.jpg, or in a folder of such a name.
  if (/^~[^/]/.test(path) && (!path.includes('/') || existsSync(path))) return text;
  return before + expandHome(path);
}

const isDashedFile = (text: string): boolean =>
  /^-[^-]./s.test(text) && (existsSync(text) || /^-[^\d.].*\.\w{2,}$/s.test(text));
