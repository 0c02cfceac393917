/** What becomes of a file by its name alone. */
export type EntryName = { name: string } | { refused: string; shown: string } | 'hidden';

/** Names stand in messages between processes, which are not longer. */
const longestName = 1024;

/**
 * The name of a file of a source, relative, with slashes: the same rules for folders, archives and object stores, so that a picture
 * has one name however it is packed. Nothing is ever written by such a name; one that leads out or could not be printed is refused
 * all the same, since somebody made it on purpose. Hidden files, and those that macOS adds, are not looked at.
 */
export function entryName(stored: string): EntryName {
  // `tar -C FOLDER .` begins each name with `./`, which in a tar of tars comes to lie in the middle.
  const name = stored.replaceAll(/(^|\/)(?:\.\/+)+/g, '$1');
  const shown = name.slice(0, longestName).replaceAll(unprintable, '?');
  const parts = name.split('/');
  // What was no UTF-8 has become this: a folder's file cannot be opened by such a name.
  if (name.includes('\ufffd')) return { refused: 'its name is not UTF-8', shown };
  if (name.length > longestName) return { refused: `its name is longer than ${longestName} characters`, shown };
  if (shown !== name) return { refused: 'its name has control characters', shown };
  if (name.startsWith('/') || /^[a-z]:[\\/]/i.test(name) || parts.includes('..')) {
    return { refused: 'its name leads out of where it lies', shown };
  }
  if (parts.some((part) => part.startsWith('.') || part === '__MACOSX')) return 'hidden';
  return { name };
}

/*
 * Controls, and the marks that turn the direction of writing of all that follows. Joiners, soft hyphens and a letter's own marks are
 * parts of words and emoji.
 */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Names without the one folder that all of them begin with, if there is one; archives often hold a single folder. */
export function withoutCommonFolder<F extends { name: string }>(files: F[]): { files: F[]; folder?: string } {
  const end = files.length > 0 ? files[0].name.indexOf('/') + 1 : 0;
  const folder = end > 0 ? files[0].name.slice(0, end) : '';
  if (folder === '' || !files.every(({ name }) => name.startsWith(folder))) return { files };
  return { files: files.map((file) => ({ ...file, name: file.name.slice(end) })), folder: folder.slice(0, -1) };
}
