import { entryName } from './entry-name.js';
import { byName, type Source, type SourceFile } from './source.js';

/** The files of a source as they are found. */
export interface Listing extends Pick<Source, 'unusable'> {
  /** Add a file by its stored name; `unread` is the reason why it is not read, if there is one. */
  add(stored: string, file: Omit<SourceFile, 'name'>, unread?: string): void;
  /** The usable files, in ascending order of name. */
  files(): SourceFile[];
}

/** The only place that decides by names, so that folders, archives and stores list the same. Of two files of one name, the first counts. */
export function createListing(): Listing {
  const files = new Map<string, SourceFile>();
  const unusable: Source['unusable'] = [];
  return {
    unusable,
    add(stored, file, unread) {
      const found = entryName(stored);
      if (found === 'hidden') return;
      if ('refused' in found) unusable.push({ file: found.shown, reason: found.refused });
      else if (unread !== undefined) unusable.push({ file: found.name, reason: unread });
      else if (files.has(found.name)) unusable.push({ file: found.name, reason: 'a second entry with this name' });
      else files.set(found.name, { ...file, name: found.name });
    },
    files: () => [...files.values()].sort(byName),
  };
}
