import { z } from '@fourfold/common/zod';
import { innerKeySchema, FourfoldError } from '@fourfold/common';
import { keyIn, liesIn, nameOf, type InputPlace } from './input-places.js';
import { getJson, unlessLost } from '../objects/object-store.js';
import type { ObjectStore } from '../objects/types.js';

/*
 * A folder, or a place in a bucket, that a command fills. Until it is complete, `unfinished.json` in it names each object before it is put.
 * So the objects of an interrupted command are known to be ours, and nothing else is overwritten or removed.
 */

/** Marks a folder that is being filled. */
export const unfinishedKey = 'unfinished.json';
const unfinishedSchema = z.strictObject({
  format: z.literal('fourfold-unfinished'),
  version: z.literal(1),
  files: z.array(innerKeySchema),
});

export interface OutputFolder {
  /** The objects that an interrupted command noted here. */
  left: readonly string[];
  /** Note that these objects will be put, by any means. */
  claim(keys: readonly string[]): Promise<void>;
  /** Note an object, then put it. */
  put(key: string, body: Uint8Array | string): Promise<void>;
  /** Note objects that lie here or will be put, and that are removed when the folder is complete. */
  claimTemporary(keys: readonly string[]): Promise<void>;
  /** Note and put an object that is removed when the folder is complete. */
  putTemporary(key: string, body: Uint8Array | string): Promise<void>;
  /** Complete the folder: remove other leftovers of an interrupted command, put the final object `key`, remove the mark. */
  finish(key: string, body: Uint8Array | string): Promise<void>;
}

export interface OutputFolderRules {
  /** What is read, as named by the user. */
  inputs: readonly InputPlace[];
  /** Whether an object that no mark names may stay, because the same will be put there. */
  mayStay?: (key: string) => Promise<boolean>;
}

/**
 * Check a place for a command's output before any work; nothing is written yet. Throws `invalid` if it is inside an input or an input is
 * in it, or if it holds an object that is not known to be ours. Hidden files do not count.
 */
export async function openOutputFolder(store: ObjectStore, rules: OutputFolderRules): Promise<OutputFolder> {
  for (const input of rules.inputs) await checkApart(store.url, input);
  const noted = await readUnfinished(store);
  const left = noted ?? [];
  const ours = new Set(noted && [...noted, unfinishedKey]);
  for (const { key } of await store.list('')) {
    if (ours.has(key) || isFolderMarker(key) || isHidden(key) || (await rules.mayStay?.(key))) continue;
    throw new FourfoldError('invalid', `${store.url} holds ${key}, which fourfold did not create`, {
      hint: 'name a new or an empty folder',
    });
  }
  const claimed = new Set<string>();
  // A leftover that cannot be removed is harmless: nothing refers to it, and the final object shows that the folder is complete.
  const tidy = (key: string) => store.remove(key).catch(() => undefined);
  const claim = async (keys: readonly string[]): Promise<void> => {
    if (keys.every((key) => claimed.has(key))) return;
    for (const key of keys) claimed.add(key);
    const files = [...new Set([...left, ...claimed])];
    await store.put(unfinishedKey, JSON.stringify({ format: 'fourfold-unfinished', version: 1, files }));
  };
  const put = async (key: string, body: Uint8Array | string) => {
    await claim([key]);
    await store.put(key, body);
  };
  const temporary = new Set<string>();
  const claimTemporary = (keys: readonly string[]) => {
    for (const key of keys) temporary.add(key);
    return claim(keys);
  };
  return {
    left,
    claim,
    put,
    claimTemporary,
    async putTemporary(key, body) {
      await claimTemporary([key]);
      await put(key, body);
    },
    async finish(key, body) {
      for (const old of left) if (!claimed.has(old)) await tidy(old);
      await store.put(key, body);
      for (const key of temporary) await tidy(key);
      await tidy(unfinishedKey);
    },
  };
}

/** The objects noted by an interrupted command in a place; undefined if there was none. */
export async function readUnfinished(store: ObjectStore): Promise<string[] | undefined> {
  if (!(await store.list(unfinishedKey)).some(({ key }) => key === unfinishedKey)) return undefined;
  return unfinishedSchema.safeParse(await unlessLost(getJson(store, unfinishedKey))).data?.files;
}

/** Whether a key is a console's marker for an empty folder in a bucket: the place's own name, or one that ends in a slash. */
const isFolderMarker = (key: string): boolean => key === '' || key.endsWith('/');

const isHidden = (key: string): boolean => /(^|\/)\./.test(key);

/** Throw `invalid` if an output's place and an input are the same, or one is inside the other. */
export async function checkApart(output: string, input: InputPlace): Promise<void> {
  const name = nameOf(input);
  const [key, isAround] = await Promise.all([keyIn(output, input), liesIn(name, output)]);
  if (key === undefined && !isAround) return;
  const reason = key === '' ? `is ${name} itself` : key ? `is inside ${name}` : `contains ${name}`;
  throw new FourfoldError('invalid', `${output} ${reason}, which is read`, {
    hint: 'name an output outside the input',
  });
}
