import { link, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resizeBy, cropPicture, type Picture, type Rectangle } from '@fourfold/imaging';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { inFolder } from '../test-support.js';
import { outputOf, planFolder } from './folder-plan.js';
import { upscaleFolder } from './upscale-folder.js';

function* cubic(lr: Picture, { left, top, width, height }: Rectangle): Generator<number, Picture> {
  yield width * height;
  return cropPicture(resizeBy(lr, 4, 'cubic'), { left: 4 * left, top: 4 * top, width: 4 * width, height: 4 * height });
}

const red = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: { r: 200, g: 30, b: 40 } } });

/** A folder with pictures, others in a subfolder, a damaged one, and files that are none. */
async function withPictures(use: (folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (parent) => {
    const folder = join(parent, 'in');
    await mkdir(join(folder, 'sub'), { recursive: true });
    await red(8, 6).toFile(join(folder, 'a.jpg'));
    await red(10, 4).gif().toFile(join(folder, 'sub/moving.gif'));
    await red(7, 5).png().toFile(join(folder, 'sub/B.PNG'));
    await writeFile(join(folder, 'broken.png'), 'no picture at all');
    await writeFile(join(folder, 'notes.txt'), 'mine');
    await writeFile(join(folder, '.hidden.jpg'), 'hidden');
    await use(parent);
  });
}

const upscale = async (parent: string, force: boolean) => {
  const [folder, out] = [join(parent, 'in'), join(parent, 'out')];
  const plan = await planFolder(folder, out, { format: undefined, force });
  const progress: [number, number, string][] = [];
  const report = await upscaleFolder(plan, {
    ...{ folder, force, scale: 4, tile: 64, upscale: cubic },
    onProgress: (...step) => progress.push(step),
    signal: new AbortController().signal,
  });
  return { plan, report, progress, out };
};

test('a folder goes into another under the same names; a damaged picture is reported and the others are done', async () => {
  await withPictures(async (parent) => {
    const { plan, report, progress, out } = await upscale(parent, false);
    expect(plan.left).toEqual([{ file: 'notes.txt', reason: 'not named like a picture' }]);
    expect(report.failed).toEqual([
      { file: 'broken.png', reason: expect.stringMatching(/^its format is not one of JPEG, /) as string },
    ]);
    expect((await readdir(out, { recursive: true })).sort()).toEqual(['a.jpg', 'sub', 'sub/B.PNG', 'sub/moving.png']);
    expect(report.pictures.map(({ to }) => [to.width, to.height])).toEqual([
      [32, 24],
      [28, 20],
      [40, 16],
    ]);
    expect(await sharp(join(out, 'sub/B.PNG')).metadata()).toMatchObject({ format: 'png', width: 28, height: 20 });
    // One bar over all: pixels of all pictures whose headers can be read.
    const total = 8 * 6 + 7 * 5 + 10 * 4;
    expect(progress.every(([, all]) => all === total)).toBe(true);
    expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done).sort((a, b) => a - b));
    expect(progress.at(-1)).toEqual([total, total, '']);
    expect(progress[0][2]).toBe('1 of 4: a.jpg');
  });
});

test('results that exist are kept, so that the same command goes on; force overwrites them', async () => {
  await withPictures(async (parent) => {
    const out = join(parent, 'out');
    await mkdir(out);
    await writeFile(join(out, 'a.jpg'), 'mine');
    const first = await upscale(parent, false);
    expect(first.plan.kept).toEqual([{ file: 'a.jpg', reason: 'its result exists already' }]);
    expect(first.report.pictures).toHaveLength(2);
    expect(await readFile(join(out, 'a.jpg'), 'utf8')).toBe('mine');
    const second = await upscale(parent, false);
    expect([second.plan.kept.length, second.report.pictures.length]).toEqual([3, 0]);
    const forced = await upscale(parent, true);
    expect([forced.plan.kept.length, forced.report.pictures.length]).toEqual([0, 3]);
    expect((await sharp(join(out, 'a.jpg')).metadata()).width).toBe(32);
  });
});

test('two pictures with one result: the first is done, the second named', async () => {
  await inFolder(async (parent) => {
    for (const name of ['a.png', 'a.jpg']) await red(4, 4).toFile(join(parent, name));
    const { pictures, clashing } = await planFolder(parent, join(parent, '../out'), { format: 'webp', force: false });
    expect(pictures.map(({ name }) => name)).toEqual(['a.jpg']);
    expect(clashing).toEqual([
      { file: 'a.png', reason: expect.stringMatching(/a\.webp, as that of a\.jpg$/) as string },
    ]);
  });
});

test.each([
  ['a.JPEG', undefined, 'a.JPEG', 'jpg'],
  ['sub.d/a.tif', undefined, 'sub.d/a.tif', 'tiff'],
  ['a.b.gif', undefined, 'a.b.png', 'png'],
  ['a.jpeg', 'jpg', 'a.jpeg', 'jpg'],
  ['a.jpeg', 'avif', 'a.avif', 'avif'],
] as const)('%s in the format %s becomes %s', (name, wanted, result, format) => {
  expect(outputOf(name, wanted)).toEqual({ name: result, format });
});

test('a folder without pictures is refused', async () => {
  await inFolder(async (parent) => {
    await writeFile(join(parent, 'notes.txt'), 'mine');
    await expect(planFolder(parent, join(parent, '../out'), { format: undefined, force: false })).rejects.toMatchObject(
      {
        code: 'invalid',
        message: `folder ${parent} holds no pictures (1 left out; the first: notes.txt: not named like a picture)`,
      },
    );
  });
});

test('two results that are one file, as where case is ignored: the second picture is named and nothing is lost', async () => {
  await inFolder(async (parent) => {
    const [folder, out] = [join(parent, 'in'), join(parent, 'out')];
    for (const made of [folder, out]) await mkdir(made);
    for (const name of ['A.jpg', 'a.jpg']) await red(4, 4).toFile(join(folder, name));
    await writeFile(join(out, 'A.jpg'), 'mine');
    await link(join(out, 'A.jpg'), join(out, 'a.jpg'));
    const { kept, clashing } = await planFolder(folder, out, { format: undefined, force: false });
    expect(kept).toHaveLength(1);
    expect(clashing).toEqual([
      { file: expect.any(String) as string, reason: expect.stringMatching(/, as that of/) as string },
    ]);
  });
  await inFolder(async (parent) => {
    const [folder, out] = [join(parent, 'in'), join(parent, 'out')];
    for (const made of [folder, out]) await mkdir(made);
    for (const name of ['a.jpg', 'b.jpg']) await red(4, 4).toFile(join(folder, name));
    await symlink('a.jpg', join(out, 'b.jpg'));
    const { report } = await upscale(parent, true);
    expect(report.pictures).toHaveLength(1);
    expect(report.failed).toEqual([
      { file: 'b.jpg', reason: expect.stringMatching(/b\.jpg, as that of a\.jpg$/) as string },
    ]);
  });
});

test('what ends a run leaves the report of the pictures before it', async () => {
  await withPictures(async (parent) => {
    const [folder, out] = [join(parent, 'in'), join(parent, 'out')];
    const plan = await planFolder(folder, out, { format: undefined, force: false });
    const controller = new AbortController();
    const { pictures, ended } = await upscaleFolder(plan, {
      ...{ folder, force: false, scale: 4, tile: 64, upscale: cubic, signal: controller.signal },
      onProgress: (_done, _total, title) => {
        if (title.startsWith('2 of')) controller.abort(new Error('stopped'));
      },
    });
    expect(pictures).toHaveLength(1);
    expect(ended).toMatchObject({ message: 'stopped' });
  });
});
