import type { Dirent } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';

/** Where a walk through folders has been, links resolved: what tells a link that leads back. */
export type Trail = readonly string[];

/** The trail of a walk that begins at a folder; empty where there is none. */
export const beginTrail = (folder: string): Promise<Trail> =>
  realpath(folder).then(
    (path) => [path],
    () => [],
  );

/**
 * Whether an entry of a folder is a folder, itself or by a link: the trail of what is below it, then. `circle` for a link to a
 * folder that has led here, undefined for a file.
 */
export async function trailInto(path: string, entry: Dirent, trail: Trail): Promise<Trail | 'circle' | undefined> {
  if (entry.isDirectory()) return trail;
  if (!entry.isSymbolicLink() || !(await stat(path).catch(() => undefined))?.isDirectory()) return undefined;
  const target = await realpath(path);
  return trail.some((been) => been === target || been.startsWith(target + sep)) ? 'circle' : [...trail, target];
}
