import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { appendRating, readAllRatings, readRatings } from './ratings.js';

let study: string;
beforeEach(async () => {
  study = await mkdtemp(join(tmpdir(), 'fourfold-ratings-'));
});
afterEach(() => rm(study, { recursive: true }));

const file = (rater: string) => join(study, 'ratings', `${rater}.jsonl`);

test('ratings come back in order, by rater', async () => {
  await appendRating(study, 'ada', { version: 'a', kind: 'rating' }, 4);
  await appendRating(study, 'ada', { version: 'b', kind: 'repeat', expected: undefined }, 2);
  await appendRating(study, 'bob', { version: 'a', kind: 'rating' }, 1);
  expect((await readRatings(study, 'ada')).map(({ version, kind, score }) => [version, kind, score])).toEqual([
    ['a', 'rating', 4],
    ['b', 'repeat', 2],
  ]);
  expect([...(await readAllRatings(study)).keys()]).toEqual(['ada', 'bob']);
  expect(await readRatings(study, 'eve')).toEqual([]);
});

test('half a line that a crash left counts for nothing, and the next rating takes its place', async () => {
  await appendRating(study, 'ada', { version: 'a', kind: 'rating' }, 4);
  await appendFile(file('ada'), '{"version":"b","kind":"rat');
  expect(await readRatings(study, 'ada')).toHaveLength(1);
  await appendRating(study, 'ada', { version: 'c', kind: 'rating' }, 5);
  expect((await readRatings(study, 'ada')).map(({ version }) => version)).toEqual(['a', 'c']);
  expect(await readFile(file('ada'), 'utf8')).toMatch(/^\{.*\}\n\{.*\}\n$/);
});

test('a line that is no rating is named', async () => {
  await mkdir(join(study, 'ratings'));
  await writeFile(file('ada'), '{"version":"a","kind":"rating","score":6,"at":""}\n');
  await expect(readRatings(study, 'ada')).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(/ada\.jsonl, line 1 is no rating/) as string,
  });
});
