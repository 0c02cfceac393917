import { FourfoldError } from '@fourfold/common';

/** A file of a source. `name` is relative, with slashes, and the same whether it is in a folder or in an archive. */
export interface SourceFile {
  name: string;
  sizeBytes: number;
  /** The file's bytes. Throws `invalid` with only the reason. */
  read(): Promise<Buffer>;
}

/** Files of a folder, a zip or a tar that are read in place. */
export interface Source {
  /** Its name in errors. */
  title: string;
  /** The folder names that may say what it is: the archive's or the folder's own, and that of the only folder in it. */
  context: string;
  /** In ascending order of name. */
  files: SourceFile[];
  /** Files that are known to be unusable without reading them, with the reason. */
  unusable: { file: string; reason: string }[];
  close(): Promise<void>;
}

/** How much of an archive has been listed, of how much: bytes of a tar, entries of a zip. */
export type OnListing = (done: number, total: number) => void;

/** The largest file that is read from an archive: it is held in memory. */
const largestEntryBytes = 256 * 2 ** 20;

/** Why an entry of this size is not read; undefined if it is. */
export const tooLarge = (sizeBytes: number): string | undefined =>
  sizeBytes > largestEntryBytes
    ? `too large: ${sizeBytes} bytes, at most ${largestEntryBytes} are read from an archive`
    : undefined;

/** The error for an archive that cannot be used; `where` names the entry and what is wrong with it. */
export const damagedArchive = (title: string, where: string, cause?: unknown): FourfoldError =>
  new FourfoldError('corrupt', `${title} is damaged: ${where}`, { hint: 'fetch the archive again', cause });

/** Why a source has no pictures, after its title. */
export function whyNone(left: readonly { file: string; reason: string }[]): string {
  if (left.length === 0) return ': it is empty';
  const [{ file, reason }] = left;
  return ` (${fileCount(left.length)} left out${left.length > 1 ? '; the first' : ''}: ${file}: ${reason})`;
}

/** `1 file`, `2 files`. */
const fileCount = (count: number): string => `${count} ${count === 1 ? 'file' : 'files'}`;

export const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
