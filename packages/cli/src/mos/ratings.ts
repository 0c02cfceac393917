import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import { z } from '@fourfold/common/zod';
import type { Trial } from './trial-order.js';

/*
 * A rater's ratings: a file of JSON lines, the n-th of the rater's n-th trial. A line counts once it is complete; the next
 * rating cuts off a partial line that a crash has left.
 */

/** Display pixels per CSS pixel, from the display's scaling and the browser's zoom. */
export const pixelRatioSchema = z.number().min(0.1).max(20);

const ratingSchema = z.strictObject({
  version: z.string(),
  kind: z.enum(['calibration', 'rating', 'repeat']),
  score: z.int().min(1).max(5),
  /** Ratings from before it was recorded have none. */
  pixelRatio: pixelRatioSchema.optional(),
  /** When it was given (ISO 8601). */
  at: z.string(),
});

export type Rating = z.infer<typeof ratingSchema>;

/** A rater's name, which is also a file name. */
export const raterPattern = /^[a-z0-9][a-z0-9-]{0,39}$/;

const folderOf = (study: string) => join(study, 'ratings');
const fileOf = (study: string, rater: string) => join(folderOf(study), `${rater}.jsonl`);

/** A rater's ratings so far. Throws `corrupt`, naming the line. */
export async function readRatings(study: string, rater: string): Promise<Rating[]> {
  return (await readWhole(fileOf(study, rater))).ratings;
}

/** Those of every rater who has begun. */
export async function readAllRatings(study: string): Promise<Map<string, Rating[]>> {
  const files = await readdir(folderOf(study)).catch(() => []);
  const raters = files.filter((file) => file.endsWith('.jsonl')).map((file) => file.slice(0, -'.jsonl'.length));
  const all = await Promise.all(
    raters.sort().map(async (rater): Promise<[string, Rating[]]> => [rater, await readRatings(study, rater)]),
  );
  return new Map(all);
}

/** Append a rating; it is on the disk when this resolves. One call at a time per rater. */
export async function appendRating(
  study: string,
  rater: string,
  { version, kind }: Trial,
  { score, pixelRatio }: Pick<Rating, 'score' | 'pixelRatio'>,
): Promise<void> {
  await mkdir(folderOf(study), { recursive: true });
  const path = fileOf(study, rater);
  const { wholeBytes } = await readWhole(path);
  const rating: Rating = { version, kind, score, pixelRatio, at: new Date().toISOString() };
  const file = await open(path, 'a');
  try {
    await file.truncate(wholeBytes);
    await file.appendFile(`${JSON.stringify(rating)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readWhole(path: string): Promise<{ ratings: Rating[]; wholeBytes: number }> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const ratings = whole
    .split('\n')
    .slice(0, -1)
    .map((line, i) => parse(line, `${path}, line ${i + 1}`));
  return { ratings, wholeBytes: Buffer.byteLength(whole) };
}

function parse(line: string, what: string): Rating {
  try {
    return ratingSchema.parse(JSON.parse(line));
  } catch (cause) {
    throw new FourfoldError('corrupt', `${what} is not a rating`, { cause });
  }
}
