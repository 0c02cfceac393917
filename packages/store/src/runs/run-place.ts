import { FourfoldError } from '@fourfold/common';
import { getJson } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';
import { z } from '@fourfold/common/zod';

/*
 * The keys that fourfold writes in a run's place in the store. Anything else there is somebody's, and is never removed
 * or overwritten.
 */

const runKeys = [
  /^(run|finished)\.json$/,
  /^train\.log$/,
  /^terms\/(\d{8,}\.json|\d{8,}\.from-(nothing|\d+-\d+)\.json|scratch-[0-9a-f-]{36})$/,
  /^checkpoints\/\d{8,}-\d{4,}\/(manifest\.json|(generator|discriminator)(-adam|-average)?\.safetensors)$/,
  /^validation\/[^/]+\/(original|bicubic|\d{8,})\.webp$/,
];

/** Whether a key in a run's place is one of fourfold's. */
export const isRunKey = (key: string): boolean => runKeys.some((ours) => ours.test(key));

/** Objects that every term writes again, and what fourfold's have in any version. */
const records = {
  'run.json': z.object({ format: z.int(), name: z.string(), term: z.int() }),
  'finished.json': z.object({ term: z.int() }),
};

/** Throw `invalid` if a run's place holds an object that the run would overwrite and that is not fourfold's. */
export async function checkRunPlace(run: ObjectStore): Promise<void> {
  for (const [key, schema] of Object.entries(records)) {
    const found = await getJson(run, key).catch((error: unknown) => {
      if (!(error instanceof FourfoldError)) throw error;
      if (error.code === 'not-found') return undefined;
      if (error.code === 'corrupt') return null;
      throw error;
    });
    if (found === undefined || schema.safeParse(found).success) continue;
    throw new FourfoldError('invalid', `${run.url}/${key} already exists, and fourfold did not write it`, {
      hint: 'choose another name for the run, or another store',
    });
  }
}

/** Remove a run, `run.json` last, and nothing else in its place. Nobody may write there meanwhile. */
export async function removeRun(run: ObjectStore): Promise<void> {
  const keys = (await run.list('')).map(({ key }) => key).filter(isRunKey);
  const folders = new Set(keys.flatMap((key) => foldersOf(key)));
  for (const key of keys.sort((a, b) => Number(a === 'run.json') - Number(b === 'run.json'))) await run.remove(key);
  // Inner folders before outer ones.
  for (const folder of [...folders].sort((a, b) => b.length - a.length)) await run.tidyFolder(folder);
}

/** The folders that lead to a key: '' and each part but the last. */
function foldersOf(key: string): string[] {
  const parts = key.split('/').slice(0, -1);
  return ['', ...parts.map((_, i) => parts.slice(0, i + 1).join('/'))];
}
