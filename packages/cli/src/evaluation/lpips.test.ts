import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLpips, resultOf, selectBackend } from '@fourfold/model';
import { decodePicture, lrAndHr } from '@fourfold/imaging';
import { initialVector, lpipsLayout, safetensorsFromVector } from '@fourfold/weights';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { describeSets } from './describe-sets.js';
import type { SetEvaluation } from './evaluate-sets.js';
import { upscaleBaseline } from '../evaluation-table.js';
import { fourfold, heldOutPhotographs, inFolder } from '../test-support.js';

/*
 * `fourfold evaluate --lpips` with made-up weights, against LPIPS that this process measures.
 */

test('LPIPS is a column of tables and CSV, and in JSON with its network', async () => {
  await inFolder(async (folder) => {
    const picture = await sharp(join(heldOutPhotographs, 'raccoon.jpg')).extract({ left: 250, top: 97, width: 64, height: 64 }).png().toBuffer(); // prettier-ignore
    await sharp({ create: { width: 8, height: 8, channels: 3, background: 'black' } }).png().toFile(join(folder, 'a.png')); // prettier-ignore
    await writeFile(join(folder, 'b.png'), picture);
    const layout = lpipsLayout('alexnet');
    const weights = safetensorsFromVector(layout, initialVector(layout, 0), {});
    await writeFile(join(folder, 'alex.safetensors'), weights);
    await selectBackend({ backend: 'wasm', device: 'auto', precision: 'f32', threads: 1 });
    const { lr, hr } = lrAndHr(await decodePicture(picture));
    const made = createLpips('alexnet', weights, 'made-up');
    const expected = await resultOf(made.measure(hr, upscaleBaseline('bicubic', lr)));

    const options = [
      '--method',
      'bicubic',
      '--backend',
      'wasm',
      '--lpips',
      'alex',
      '--lpips-weights',
      'alex.safetensors',
    ];
    const { exitCode, stdout, stderr } = await fourfold(folder, 'evaluate', '--images', '.', ...options, '--json');
    expect(exitCode, stderr).toBe(0);
    const { lpips, sets } = JSON.parse(stdout) as { lpips: object; sets: SetEvaluation[] };
    expect(lpips).toEqual({ network: 'alex', version: '0.1' });
    const [{ pictures, mean }] = sets[0].subjects;
    expect(pictures).toMatchObject([{ picture: 'b.png', lpips: mean.lpips }]);
    expect(mean.lpips).toBeCloseTo(expected, 5);
    expect(describeSets(sets, 'csv', 'alex')).toMatch(/^set,picture,method,psnr_db,ssim,source,lpips_alex\n/);
    expect(describeSets(sets, 'text', 'alex')).toContain('LPIPS (alex)');
  });
});
