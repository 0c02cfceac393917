import { availableParallelism, totalmem } from 'node:os';
import { FourfoldError, sha256 } from '@fourfold/common';
import type { GivenPairs } from '../sources/given-pairs.js';
import { comparePair, type PairDifference } from '../sources/pairs.js';
import type { SourceFile } from '../sources/source.js';
import { convert, type Converted, type ConvertOptions } from './convert.js';
import { inOrder } from './in-order.js';

/** How the official LR picture of a photograph differs from ours. */
type Pair = { lr: string } & PairDifference;
/** A photograph ready to be stored, or why it is left out. */
export type Outcome =
  | { file: string; digest: string; converted: Converted; pair?: Pair; reason?: undefined }
  | { file: string; digest?: string; converted?: undefined; pair?: undefined; reason: string };

/** LR pictures beside photographs. */
export interface LrPictures {
  /** By the photograph's name, to be compared with ours. */
  official: ReadonlyMap<string, SourceFile>;
  /** To be stored instead of ours. */
  given?: GivenPairs;
}

/** Memory that a picture of some 50 megapixels takes while it is converted. */
const pictureBytes = 2 ** 29;

/** How many pictures are in work at a time, as memory allows: two for each core, since one that is done waits for those before it. */
export const picturesTogether = (cores: number, memoryBytes: number): number =>
  Math.max(1, Math.min(2 * cores, Math.floor(memoryBytes / pictureBytes)));

/**
 * Convert files, several at a time, and yield them in their order. Of files with the same bytes, only the first counts: `firstWith` has
 * their names by SHA-256.
 */
export async function* convertInOrder(
  files: SourceFile[],
  lr: LrPictures,
  options: ConvertOptions,
  firstWith: Map<string, string>,
): AsyncGenerator<Outcome> {
  // A container may have less memory than its machine.
  const memoryBytes = Math.min(process.constrainedMemory() || Infinity, totalmem());
  const together = picturesTogether(availableParallelism(), memoryBytes);
  const convertFile = (file: SourceFile) => readAndConvert(file, lr, options, firstWith);
  for await (const outcome of inOrder(files, together, convertFile)) {
    const { file, digest } = outcome;
    // One with the same bytes may have been in work at the same time.
    const first = digest === undefined ? undefined : firstWith.get(digest);
    if (digest !== undefined && first === undefined) firstWith.set(digest, file);
    yield first === undefined ? outcome : duplicateOf(first, file);
  }
}

async function readAndConvert(
  source: SourceFile,
  { official, given }: LrPictures,
  options: ConvertOptions,
  firstWith: ReadonlyMap<string, string>,
): Promise<Outcome> {
  const file = source.name;
  const bytes = await resultOrReason(source.read());
  if (typeof bytes === 'string') return { file, reason: bytes };
  const digest = sha256(bytes);
  const first = firstWith.get(digest);
  if (first !== undefined) return duplicateOf(first, file);
  const converted = await resultOrReason(convertWith(given, file, bytes, options));
  if (typeof converted === 'string') return { file, digest, reason: converted };
  return { file, digest, converted, pair: given ? undefined : await pairOf(bytes, official.get(file)) };
}

const duplicateOf = (first: string, file: string): Outcome => ({ file, reason: `duplicate of ${first}` });

const convertWith = async (given: GivenPairs | undefined, file: string, bytes: Buffer, options: ConvertOptions) =>
  convert(file, bytes, { ...options, givenLr: given?.lrOf(file) });

/** How the official LR picture of a photograph differs from ours, if there is one. */
async function pairOf(photograph: Buffer, lr: SourceFile | undefined): Promise<Pair | undefined> {
  if (!lr) return undefined;
  const difference = await resultOrReason(lr.read().then((bytes) => comparePair(photograph, bytes)));
  if (typeof difference !== 'string') return { lr: lr.name, ...difference };
  return { lr: lr.name, values: 0, of: 0, largest: 0, reason: difference };
}

/** The result, or why the file cannot be used. */
async function resultOrReason<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof FourfoldError && error.code === 'invalid') return error.message;
    throw error;
  }
}
