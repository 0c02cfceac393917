import { FourfoldError } from '@fourfold/common';
import { getJson, openStore, type InputPlace, type ObjectStore } from '@fourfold/store';
import { z } from '@fourfold/common/zod';

/*
 * An opinion test (mean opinion scores, MOS) as in section 3.3 of Ledig et al. 2017: raters give each version of each picture 1 (bad)
 * to 5 (excellent) without knowing which method made it. A study is a folder: study.json, pictures/ID.png, ratings/RATER.jsonl.
 */

/** A picture as one method made it. Its id says nothing about either. */
const versionSchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  picture: z.string(),
  method: z.string(),
});

const studySchema = z.strictObject({
  format: z.literal(1),
  name: z.string(),
  seed: z.int(),
  /** How many versions each rater sees twice. */
  repeats: z.int().min(0),
  methods: z.array(z.string()).min(1),
  versions: z.array(versionSchema).min(1),
  /** What raters see first, with the expected score: the worst and the best. */
  calibration: z.array(versionSchema.extend({ expected: z.literal([1, 5]) })),
});

export type Version = z.infer<typeof versionSchema>;
export type Study = z.infer<typeof studySchema>;

/** As many versions of a picture as the paper showed. */
export const mostMethods = 12;
export const scores = [1, 2, 3, 4, 5] as const;

export const studyFile = 'study.json';
export const pictureKey = (id: string): string => `pictures/${id}.png`;

/** The folder of a study, from a path or a `file:` URL. Throws `invalid` if it is not a folder on this machine. */
export function studyFolder(place: string): string {
  const folder = place.startsWith('s3:') ? undefined : openStore(place).filePath?.('');
  if (folder === undefined) throw new FourfoldError('invalid', `${place}: a study is a folder on this machine`);
  return folder;
}

/** The files of a study: a figure may be beside them. */
export const studyInput = (folder: string): InputPlace => ({
  place: folder,
  reads: (key) => /^(study\.json|(pictures|ratings)(\/.*)?)$/is.test(key),
});

/** Read a study. Throws `not-found` if the folder holds none, `invalid` if the file is not a study. */
export async function readStudy(store: ObjectStore): Promise<Study> {
  const hint = 'name a folder that `fourfold mos prepare` wrote';
  const found = await getJson(store, studyFile).catch((cause: unknown) => {
    if (!(cause instanceof FourfoldError) || cause.code !== 'not-found') throw cause;
    throw new FourfoldError('not-found', `no study at ${store.url}: there is no ${studyFile}`, { hint });
  });
  const parsed = studySchema.safeParse(found);
  if (parsed.success) return parsed.data;
  throw new FourfoldError('invalid', `${store.url}/${studyFile} is not a study`, { cause: parsed.error, hint });
}
