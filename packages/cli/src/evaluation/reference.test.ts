import { readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { fourfold, inFolder } from '../test-support.js';

/*
 * `fourfold evaluate` against scores that resize-right, PyTorch and scikit-image computed from the same crops of photographs
 * (test/evaluation-reference/make.py), on the best backend available.
 */

const repository = fileURLToPath(new URL('../../../../', import.meta.url));
const examples = join(repository, 'examples');

type Scores = { psnr: number; ssim: number };
interface Reference {
  checkpoint: string;
  cases: { photograph: string; region: [number, number, number, number]; scores: Record<string, Scores> }[];
}
interface Evaluation {
  subjects: { pictures: ({ picture: string } & Scores)[]; mean: Scores }[];
}

/** The crops of the reference as files of a folder, in the order of their names. */
async function writeCrops(folder: string, { cases }: Reference): Promise<void> {
  for (const { photograph, region } of cases) {
    const [left, top, width, height] = region;
    const name = basename(photograph, extname(photograph));
    await sharp(join(examples, 'photographs', photograph))
      .extract({ left, top, width, height })
      .png()
      .toFile(join(folder, `${name}.png`));
  }
}

test('bicubic, Lanczos and a checkpoint have the scores of independent implementations', async () => {
  const path = join(repository, 'test', 'evaluation-reference', 'expected.json');
  const reference = JSON.parse(await readFile(path, 'utf8')) as Reference;
  await inFolder(async (folder) => {
    await writeCrops(folder, reference);
    const methods = ['--method', 'bicubic', '--method', 'lanczos'];
    const checkpoint = ['--checkpoint', join(examples, reference.checkpoint)];
    const { exitCode, stdout, stderr } = await fourfold(
      folder,
      ...['evaluate', '--images', '.', ...methods, ...checkpoint, '--json'],
    );
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    const [{ subjects }] = (JSON.parse(stdout) as { sets: Evaluation[] }).sets;
    const cases = [...reference.cases].sort((a, b) => (basename(a.photograph) < basename(b.photograph) ? -1 : 1));
    for (const [i, name] of ['bicubic', 'lanczos', 'checkpoint'].entries()) {
      const { pictures, mean } = subjects[i];
      expect(pictures).toHaveLength(5);
      for (const [j, { photograph, scores }] of cases.entries()) {
        const { picture, ...measured } = pictures[j];
        expect(picture).toBe(`${basename(photograph, extname(photograph))}.png`);
        expectEqual(`${name} on ${picture}`, measured, scores[name]);
      }
      const expected = cases.map(({ scores }) => scores[name]);
      const meanOf = (score: keyof Scores) => expected.reduce((sum, one) => sum + one[score], 0) / expected.length;
      expectEqual(`${name}, mean`, mean, { psnr: meanOf('psnr'), ssim: meanOf('ssim') });
    }
  });
});

/** Equal within 0.001 dB of PSNR and 0.0001 of SSIM. */
function expectEqual(what: string, measured: Scores, expected: Scores): void {
  expect(Math.abs(measured.psnr - expected.psnr), `PSNR of ${what}`).toBeLessThanOrEqual(1e-3);
  expect(Math.abs(measured.ssim - expected.ssim), `SSIM of ${what}`).toBeLessThanOrEqual(1e-4);
}
