import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FourfoldError } from '@fourfold/common';
import { expect, test } from 'vitest';
import { upscaleBaseline } from '../evaluation-table.js';
import { heldOutPhotographs, inFolder } from '../test-support.js';
import { describeOmissions } from './describe-sets.js';
import { evaluateSets, type Subject } from './evaluate-sets.js';

const subjects: Subject[] = (['nearest', 'bicubic'] as const).map((name) => ({
  name,
  facts: {},
  upscale: (lr) => upscaleBaseline(name, lr),
}));
const evaluate = (folder: string, isStrict = false) =>
  evaluateSets([folder], subjects, { onProgress: () => undefined, isStrict }, new AbortController().signal);

test('damaged pictures are listed and counted, and the others are measured; a strict evaluation ends', async () => {
  await inFolder(async (folder) => {
    const whole = await readFile(join(heldOutPhotographs, 'raccoon.jpg'));
    await writeFile(join(folder, 'damaged.png'), 'no picture at all');
    await writeFile(join(folder, 'cut.jpg'), whole.subarray(0, whole.length / 2));
    await expect(evaluate(folder)).rejects.toThrow(`${folder}/cut.jpg: `);

    await writeFile(join(folder, 'raccoon.jpg'), whole);
    const sets = await evaluate(folder);
    for (const { pictures, mean } of sets[0].subjects) {
      expect(pictures).toEqual([{ picture: 'raccoon.jpg', ...mean }]);
    }
    expect(sets[0].damaged).toEqual([
      { file: 'cut.jpg', reason: expect.not.stringContaining(folder) as string },
      { file: 'damaged.png', reason: expect.stringMatching(/\S/) as string },
    ]);
    const [title, listed] = describeOmissions(sets);
    expect(title).toMatch(/: 2 pictures cannot be measured:$/);
    expect(listed).toMatch(/^ {2}cut\.jpg +\S.*\n {2}damaged\.png +\S/);
    await expect(evaluate(folder, true)).rejects.toMatchObject({ code: 'invalid', message: /cut\.jpg: / });
  });
});

test('a refusal of LPIPS names the picture', async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'raccoon.jpg'), await readFile(join(heldOutPhotographs, 'raccoon.jpg')));
    const measure = () => Promise.reject(new FourfoldError('invalid', 'too small for LPIPS'));
    const lpips = { network: 'alex', measure } as const;
    const evaluation = evaluateSets(
      [folder],
      subjects,
      { onProgress: () => undefined, lpips },
      new AbortController().signal,
    );
    await expect(evaluation).rejects.toThrow(`${folder}/raccoon.jpg: too small for LPIPS`);
  });
});
