/** What a file's name alone decides about it. */
export type EntryName = { name: string } | { refused: string; shown: string } | 'hidden';

/** Messages between processes carry names up to this length. */
const longestName = 1024;

/**
 * The name of a file of a source, relative, with slashes: the same rules for folders, archives and object stores, so that a picture
 * has one name however it is packed. No file is ever written under such a name; one that points outside or cannot be printed is still
 * refused, since somebody made it on purpose. Hidden files, and those that macOS adds, are skipped.
 */
export function entryName(stored: string): EntryName {
  // `tar -C FOLDER .` begins each name with `./`, which ends up in the middle in a tar of tars.
  const name = stored.replaceAll(/(^|\/)(?:\.\/+)+/g, '$1');
  const shown = name.slice(0, longestName).replaceAll(unprintable, '?');
  const parts = name.split('/');
  // Bytes that are not UTF-8 have become this character: a folder's file cannot be opened by such a name.
  if (name.includes('\ufffd')) return { refused: 'its name is not UTF-8', shown };
  if (name.length > longestName) return { refused: `its name is longer than ${longestName} characters`, shown };
  if (shown !== name) return { refused: 'its name has control characters', shown };
  if (name.startsWith('/') || /^[a-z]:[\\/]/i.test(name) || parts.includes('..')) {
    return { refused: 'its name points outside the folder or archive', shown };
  }
  if (parts.some((part) => part.startsWith('.') || part === '__MACOSX')) return 'hidden';
  return { name };
}

/*
 * Control characters, and marks that change the writing direction of all that follows. Joiners, soft hyphens and combining marks are
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
