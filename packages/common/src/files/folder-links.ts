import type { Dirent } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';

/** The folders that a walk has passed through, links resolved; used to detect links that lead back. */
export type Trail = readonly string[];

/** The trail of a walk that begins at a folder; empty if it does not exist. */
export const beginTrail = (folder: string): Promise<Trail> =>
  realpath(folder).then(
    (path) => [path],
    () => [],
  );

/**
 * The trail below an entry that is a folder, or a link to one; `circle` for a link to a folder that led here; undefined for a file.
 */
export async function trailInto(path: string, entry: Dirent, trail: Trail): Promise<Trail | 'circle' | undefined> {
  if (entry.isDirectory()) return trail;
  if (!entry.isSymbolicLink() || !(await stat(path).catch(() => undefined))?.isDirectory()) return undefined;
  const target = await realpath(path);
  return trail.some((been) => been === target || been.startsWith(target + sep)) ? 'circle' : [...trail, target];
}
