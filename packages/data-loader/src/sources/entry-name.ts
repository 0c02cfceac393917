/** What becomes of an archive's entry by its name alone. */
export type EntryName = { name: string } | { refused: string; shown: string } | 'hidden';

/**
 * The name of an archive's entry, relative, with slashes. Nothing is ever written by such a name; one that leads out of the
 * archive or could not be printed is refused all the same, since somebody made it on purpose. Hidden files, and those that
 * macOS adds, are not looked at, as in folders.
 */
export function entryName(stored: string): EntryName {
  // `tar -C FOLDER .` begins each name with `./`, which in a tar of tars comes to lie in the middle.
  const name = stored.replaceAll(/(^|\/)(?:\.\/+)+/g, '$1');
  const shown = name.replaceAll(unprintable, '?');
  if (shown !== name) return { refused: 'its name has control characters', shown };
  const parts = name.split('/');
  if (name.startsWith('/') || /^[a-z]:/i.test(name) || parts.includes('..')) {
    return { refused: 'its name leads out of the archive', shown };
  }
  if (parts.some((part) => part.startsWith('.') || part === '__MACOSX')) return 'hidden';
  return { name };
}

// Controls, and the marks that turn the direction of writing.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Names without the one folder that all of them begin with, if there is one; archives often hold a single folder. */
export function withoutCommonFolder<F extends { name: string }>(files: F[]): { files: F[]; folder?: string } {
  const end = files.length > 0 ? files[0].name.indexOf('/') + 1 : 0;
  const folder = end > 0 ? files[0].name.slice(0, end) : '';
  if (folder === '' || !files.every(({ name }) => name.startsWith(folder))) return { files };
  return { files: files.map((file) => ({ ...file, name: file.name.slice(end) })), folder: folder.slice(0, -1) };
}
