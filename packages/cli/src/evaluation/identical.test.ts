import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { heldOutPhotographs, inFolder } from '../test-support.js';
import { upscaleBaseline } from '../evaluation-table.js';
import { describeOmissions, describeSets } from './describe-sets.js';
import { evaluateSets } from './evaluate-sets.js';

test('a black frame counts as 100 dB, is counted and reported; no printed figure is infinite', async () => {
  await inFolder(async (folder) => {
    const black = { width: 40, height: 32, channels: 3, background: 'black' } as const;
    await sharp({ create: black }).png().toFile(join(folder, 'black.png'));
    await sharp(join(heldOutPhotographs, 'raccoon.jpg')).resize(48, 48).png().toFile(join(folder, 'raccoon.png'));
    const bicubic = { name: 'bicubic', facts: {}, upscale: (lr: Parameters<typeof upscaleBaseline>[1]) => upscaleBaseline('bicubic', lr) }; // prettier-ignore
    const sets = await evaluateSets([folder], [bicubic], { onProgress: () => undefined }, new AbortController().signal);
    const [{ pictures, mean, identical }] = sets[0].subjects;
    expect(identical).toBe(1);
    expect(pictures.map(({ psnr }) => psnr)).toEqual([100, expect.closeTo(23, -1)]);
    expect(mean.psnr).toBe((100 + pictures[1].psnr) / 2);
    expect(describeOmissions(sets)).toEqual([
      expect.stringMatching(
        /: 1 of 2 pictures by bicubic are identical to their originals, or nearly; their PSNR, higher or infinite, counts as 100 dB$/,
      ),
    ]);
    for (const format of ['text', 'markdown', 'csv'] as const) expect(describeSets(sets, format)).not.toMatch(/inf/i);
    expect(JSON.stringify(sets)).not.toContain('null');
  });
});
