import { FourfoldError } from '@fourfold/common';

/** A file of a source. `name` is relative, with slashes, and the same whether it lies in a folder or in an archive. */
export interface SourceFile {
  name: string;
  sizeBytes: number;
  /** The file's bytes. Throws `invalid` with the reason alone. */
  read(): Promise<Buffer>;
}

/** Files that are read where they lie: of a folder, of a zip, of a tar. */
export interface Source {
  /** What errors call it. */
  title: string;
  /** Folders that lead to it, as far as their names may say what it is: the archive's or the folder's own, and the one folder in it. */
  context: string;
  /** In ascending order of name. */
  files: SourceFile[];
  /** What can be seen to be of no use without reading it, with the reason. */
  unusable: { file: string; reason: string }[];
  close(): Promise<void>;
}

/** Bytes of archives that were looked at, of how many. */
export type OnListing = (done: number, total: number) => void;

/** The largest file that is taken out of an archive: it is held in memory. */
export const largestEntryBytes = 256 * 2 ** 20;

/** Why an entry of this size is not read, if so. */
export const tooLarge = (sizeBytes: number): string | undefined =>
  sizeBytes > largestEntryBytes
    ? `too large: ${sizeBytes} bytes, at most ${largestEntryBytes} are read from an archive`
    : undefined;

/** That an archive cannot be used; `where` says which of its entries, and what is wrong there. */
export const damagedArchive = (title: string, where: string, cause?: unknown): FourfoldError =>
  new FourfoldError('corrupt', `${title} is damaged: ${where}`, { hint: 'fetch the archive again', cause });

export const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
