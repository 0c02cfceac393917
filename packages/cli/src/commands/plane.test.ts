import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '@fourfold/store';
import { initialVector, lpipsLayout, safetensorsFromVector } from '@fourfold/weights';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { fourfold, heldOutPhotographs, inFolder, writeSmallCheckpoint } from '../test-support.js';

/** A small picture, a run, and made-up weights of LPIPS. */
async function layOut(folder: string): Promise<void> {
  await mkdir(join(folder, 'photos'));
  const part = { left: 250, top: 97, width: 64, height: 64 };
  await sharp(join(heldOutPhotographs, 'raccoon.jpg'))
    .extract(part)
    .png()
    .toFile(join(folder, 'photos', 'raccoon.png'));
  await writeSmallCheckpoint(openStore(join(folder, 'a')), 4, { channels: 4, blocks: 1 });
  const layout = lpipsLayout('alexnet');
  await writeFile(join(folder, 'alex.safetensors'), safetensorsFromVector(layout, initialVector(layout, 0), {}));
}

test('plane measures methods, generators and the blends between two, and draws them', async () => {
  await inFolder(async (folder) => {
    await layOut(folder);
    const chosen = ['--method', 'bicubic', '--blend', 'a', './a', '--steps', '1', '--backend', 'wasm'];
    const common = ['plane', '--images', 'photos', '--out', 'out/plane.svg', '--lpips-weights', 'alex.safetensors'];
    const { exitCode, stdout, stderr } = await fourfold(folder, ...common, ...chosen, '--json');
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('Real-ESRGAN x4plus, RealSR DF2K are not in the plane: their figures are of astronaut,');
    const { lpips, points } = JSON.parse(stdout) as { lpips: object; points: { name: string; lpips: number }[] };
    expect(lpips).toEqual({ network: 'alex', version: '0.1' });
    expect(points.map(({ name }) => name)).toEqual(['bicubic', 'a', '0.5 of ./a, the rest of a', './a']);
    // Both ends are one generator.
    expect(points[2].lpips).toBeCloseTo(points[1].lpips, 6);
    expect((await readFile(join(folder, 'out/plane.svg'), 'utf8')).match(/<circle /g)).toHaveLength(4);
  });
});

test('plane refuses before any work: another format, one generator, an existing file, missing weights', async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'old.svg'), 'mine');
    const refusal = async (...args: string[]) => {
      const { exitCode, stderr } = await fourfold(folder, 'plane', '--images', heldOutPhotographs, ...args);
      expect(exitCode).toBe(2);
      return stderr;
    };
    const [png, one, old, weights] = await Promise.all([
      refusal('--out', 'plane.png'),
      refusal('--out', 'plane.svg', '--blend', 'a'),
      refusal('--out', 'old.svg'),
      refusal('--out', 'plane.svg', '--method', 'bicubic', '--lpips-weights', '.'),
    ]);
    expect(png).toBe('fourfold: --out is plane.png: its name must end in .svg; name an SVG\n');
    expect(one).toMatch(/^fourfold: --blend names 1 generator: it must name two; as in --blend /);
    expect(old).toMatch(/^fourfold: old\.svg already exists; /);
    expect(weights).toMatch(
      /has no weights of AlexNet for LPIPS; fetch them with fourfold vgg fetch, or name another place\n$/,
    );
    expect(await readdir(folder)).toEqual(['old.svg']);
  });
});
