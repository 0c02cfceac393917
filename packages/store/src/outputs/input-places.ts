import type { BigIntStats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { beginTrail, trailInto, type Trail, parseS3Url } from '@fourfold/common';
import { localPath } from '../objects/object-store.js';

/*
 * An output is never an input. Existing files and folders are identified by device and inode, whatever link names them; others by the
 * folder that would contain them.
 */

/**
 * What a command reads: a file, a place with everything in it, only those objects of a place whose keys `reads` accepts, or a folder that
 * was listed once for many outputs.
 */
export type InputPlace = string | { place: string; reads: (key: string) => boolean } | ListedFolder;

export interface ListedFolder {
  place: string;
  /** The key of an output within it, as of `keyIn`. */
  keyOf: (output: string) => Promise<string | undefined>;
}

export const nameOf = (input: InputPlace): string => (typeof input === 'string' ? input : input.place);

/**
 * The key of an output within an input, now or once it is written; '' if they are the same. Undefined if the output is not part of what
 * is read.
 */
export async function keyIn(output: string, input: InputPlace): Promise<string | undefined> {
  if (typeof input !== 'string' && 'keyOf' in input) return input.keyOf(output);
  const isRead = (key: string) => key === '' || typeof input === 'string' || input.reads(key);
  const path = localPath(output);
  const root = localPath(nameOf(input));
  if (path === undefined || root === undefined) {
    const key = keyInBucket(output, nameOf(input));
    return key !== undefined && isRead(key) ? key : undefined;
  }
  for await (const key of keysOf(path, root)) if (isRead(key)) return key;
  return undefined;
}

/** List a folder of this machine that is read, so that each of many outputs need not search it. */
export async function listInput(folder: string): Promise<ListedFolder> {
  const root = await identify(folder);
  const keyByIdentity = new Map<string, string>();
  const trail = await beginTrail(folder);
  for await (const { key, found } of entriesOf(folder, '', trail)) if (found) keyByIdentity.set(textOf(found), key);
  return {
    place: folder,
    async keyOf(output) {
      const onTheWay = await keyOnTheWay(output, root);
      if (onTheWay !== undefined) return onTheWay;
      const existing = await nearestExisting(output);
      const found = await identify(existing);
      const key = found && keyByIdentity.get(textOf(found));
      return key === undefined ? undefined : posix.join(key, keyBelow(existing, resolve(output)));
    },
  };
}

/** Whether a place is another place, or below it along its path. */
export async function liesIn(inner: string, outer: string): Promise<boolean> {
  const [path, root] = [localPath(inner), localPath(outer)];
  if (path === undefined || root === undefined) return keyInBucket(inner, outer) !== undefined;
  return (await keyOnTheWay(path, await identify(root))) !== undefined;
}

/** The path itself or its nearest parent folder that exists. */
export async function nearestExisting(path: string): Promise<string> {
  let existing = resolve(path);
  while (!(await identify(existing)) && dirname(existing) !== existing) existing = dirname(existing);
  return existing;
}

/** The identity of a file, links followed; undefined if it does not exist. */
export const identify = (path: string): Promise<BigIntStats | undefined> =>
  stat(path, { bigint: true }).catch(() => undefined);

const textOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;

/** Whether two identities are the same file or folder, by device and inode. */
const isSame = (a: BigIntStats | undefined, b: BigIntStats | undefined): boolean =>
  a !== undefined && b !== undefined && textOf(a) === textOf(b);

function keyInBucket(inner: string, outer: string): string | undefined {
  const [a, b] = [parseS3Url(inner), parseS3Url(outer)];
  if (a === undefined || a.bucket !== b?.bucket) return undefined;
  const prefix = b.path === '' ? '' : `${b.path}/`;
  return `${a.path}/`.startsWith(prefix) ? a.path.slice(prefix.length) : undefined;
}

/** All keys of a path within a folder, now or once it exists. */
async function* keysOf(path: string, root: string): AsyncGenerator<string> {
  const rootFound = await identify(root);
  if (!rootFound) return;
  const onTheWay = await keyOnTheWay(path, rootFound);
  if (onTheWay !== undefined) yield onTheWay;
  if (!rootFound.isDirectory()) return;
  const existing = await nearestExisting(path);
  const found = await identify(existing);
  if (!found) return;
  const rest = keyBelow(existing, resolve(path));
  // Other names: hard links, and folders linked into the input.
  for await (const entry of entriesOf(root, '', await beginTrail(root)))
    if (isSame(entry.found, found)) yield posix.join(entry.key, rest);
}

/** The key of a path within a folder along its path. */
async function keyOnTheWay(path: string, root: BigIntStats | undefined): Promise<string | undefined> {
  const existing = await nearestExisting(path);
  const real = await realpath(existing);
  const whole = join(real, relative(existing, resolve(path)));
  for (let folder = real; ; folder = dirname(folder)) {
    if (isSame(await identify(folder), root)) return keyBelow(folder, whole);
    if (dirname(folder) === folder) return undefined;
  }
}

/** The files and folders below a folder. A folder that cannot be listed is not read, either. */
async function* entriesOf(
  folder: string,
  prefix: string,
  trail: Trail,
): AsyncGenerator<{ key: string; found: BigIntStats | undefined }> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    const key = `${prefix}${entry.name}`;
    const into = await trailInto(path, entry, trail);
    yield { key, found: await identify(path) };
    if (into && into !== 'circle') yield* entriesOf(path, `${key}/`, into);
  }
}

const keyBelow = (folder: string, path: string): string => relative(folder, path).split(sep).join('/');
