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
  await appendRating(study, 'ada', { version: 'a', kind: 'rating' }, { score: 4, pixelRatio: 1.25 });
  await appendRating(study, 'ada', { version: 'b', kind: 'repeat', expected: undefined }, { score: 2 });
  await appendRating(study, 'bob', { version: 'a', kind: 'rating' }, { score: 1 });
  expect(await readRatings(study, 'ada')).toMatchObject([
    { version: 'a', kind: 'rating', score: 4, pixelRatio: 1.25 },
    { version: 'b', kind: 'repeat', score: 2 },
  ]);
  expect([...(await readAllRatings(study)).keys()]).toEqual(['ada', 'bob']);
  expect(await readRatings(study, 'eve')).toEqual([]);
});

test('half a line left by a crash is ignored, and the next rating replaces it', async () => {
  await appendRating(study, 'ada', { version: 'a', kind: 'rating' }, { score: 4 });
  await appendFile(file('ada'), '{"version":"b","kind":"rat');
  expect(await readRatings(study, 'ada')).toHaveLength(1);
  await appendRating(study, 'ada', { version: 'c', kind: 'rating' }, { score: 5 });
  expect((await readRatings(study, 'ada')).map(({ version }) => version)).toEqual(['a', 'c']);
  expect(await readFile(file('ada'), 'utf8')).toMatch(/^\{.*\}\n\{.*\}\n$/);
});

test('a line that is not a rating is named', async () => {
  await mkdir(join(study, 'ratings'));
  await writeFile(file('ada'), '{"version":"a","kind":"rating","score":6,"at":""}\n');
  await expect(readRatings(study, 'ada')).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(/ada\.jsonl, line 1 is not a rating/) as string,
  });
});

test('ratings from before the pixel ratio was recorded are read; an impossible ratio is named', async () => {
  await mkdir(join(study, 'ratings'));
  const older = '{"version":"a","kind":"rating","score":4,"at":"2026-01-01T00:00:00.000Z"';
  await writeFile(file('ada'), `${older}}\n`);
  expect(await readRatings(study, 'ada')).toMatchObject([{ version: 'a', score: 4 }]);
  await writeFile(file('ada'), `${older},"pixelRatio":0}\n`);
  await expect(readRatings(study, 'ada')).rejects.toMatchObject({ code: 'corrupt' });
});
