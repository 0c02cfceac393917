import { z } from 'zod';
import { innerKeySchema } from './base-name.js';
import { FourfoldError } from './errors.js';
import { keyIn, liesIn, nameOf, type InputPlace } from './input-places.js';
import { getJson, type ObjectStore } from './object-store.js';

/*
 * A folder, or a place in a bucket, that a command fills. `unfinished.json` in it names each object before it is put, until all are
 * there. So what an interrupted command has left is known to be ours, and nothing else is written over or removed.
 */

/** The mark of a folder that is being filled. */
export const unfinishedKey = 'unfinished.json';
const unfinishedSchema = z.strictObject({
  format: z.literal('fourfold-unfinished'),
  version: z.literal(1),
  files: z.array(innerKeySchema),
});

export interface OutputFolder {
  /** Note that these objects are going to be put, by whatever way. */
  claim(keys: readonly string[]): Promise<void>;
  /** Put an object, noted before. */
  put(key: string, body: Uint8Array | string): Promise<void>;
  /** All is there: remove what an interrupted command has left besides, put the object that says so, remove the mark. */
  finish(key: string, body: Uint8Array | string): Promise<void>;
}

export interface OutputFolderRules {
  /** What is read, as the user has named it. */
  inputs: readonly InputPlace[];
  /** Whether an object that no mark names may stay, because it is what will be put there anyway. */
  mayStay?: (key: string) => Promise<boolean>;
}

/**
 * Take a place for a command's output, before any work is done; nothing is written yet. Throws `invalid` where it lies in an
 * input, or an input in it, and where it holds something that is not known to be ours. Hidden files do not count.
 */
export async function openOutputFolder(store: ObjectStore, rules: OutputFolderRules): Promise<OutputFolder> {
  for (const input of rules.inputs) await checkApart(store.url, input);
  const noted = await readUnfinished(store);
  const left = noted ?? [];
  const ours = new Set(noted && [...noted, unfinishedKey]);
  for (const { key } of await store.list('')) {
    if (ours.has(key) || isFolderMarker(key) || isHidden(key) || (await rules.mayStay?.(key))) continue;
    throw new FourfoldError('invalid', `${store.url} holds ${key}, which fourfold has not made`, {
      hint: 'name a new or an empty folder',
    });
  }
  const claimed = new Set<string>();
  // What stays because it may not be removed does no harm: nothing names it, and what is whole says so.
  const tidy = (key: string) => store.remove(key).catch(() => undefined);
  const claim = async (keys: readonly string[]): Promise<void> => {
    if (keys.every((key) => claimed.has(key))) return;
    for (const key of keys) claimed.add(key);
    const files = [...new Set([...left, ...claimed])];
    await store.put(unfinishedKey, JSON.stringify({ format: 'fourfold-unfinished', version: 1, files }));
  };
  return {
    claim,
    async put(key, body) {
      await claim([key]);
      await store.put(key, body);
    },
    async finish(key, body) {
      for (const old of left) if (!claimed.has(old)) await tidy(old);
      await store.put(key, body);
      await tidy(unfinishedKey);
    },
  };
}

/** What an interrupted command has noted in a place; undefined where none has. */
export async function readUnfinished(store: ObjectStore): Promise<string[] | undefined> {
  if (!(await store.list(unfinishedKey)).some(({ key }) => key === unfinishedKey)) return undefined;
  try {
    return unfinishedSchema.safeParse(await getJson(store, unfinishedKey)).data?.files;
  } catch (error) {
    if (error instanceof FourfoldError && (error.code === 'corrupt' || error.code === 'not-found')) return undefined;
    throw error;
  }
}

/** What consoles put into a bucket for an empty folder: its name, which is the place's own or ends in a slash. */
const isFolderMarker = (key: string): boolean => key === '' || key.endsWith('/');

const isHidden = (key: string): boolean => /(^|\/)\./.test(key);

/** Throw `invalid` where an output's place and an input are one, or one lies in the other. */
export async function checkApart(output: string, input: InputPlace): Promise<void> {
  const name = nameOf(input);
  const [key, isAround] = await Promise.all([keyIn(output, input), liesIn(name, output)]);
  if (key === undefined && !isAround) return;
  const reason = key === '' ? `is ${name} itself` : key ? `lies in ${name}` : `has ${name} in it`;
  throw new FourfoldError('invalid', `${output} ${reason}, which is read`, {
    hint: 'name an output outside of what is read',
  });
}
