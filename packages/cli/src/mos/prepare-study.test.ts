import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openStore } from '@fourfold/store';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { fourfold, heldOutPhotographs, inFolder } from '../test-support.js';
import { openStudyPlace, original, prepareStudy, readyPictures, type Method } from './prepare-study.js';
import { pictureKey, studyFolder } from './study.js';

/** Copy a photograph, made small: nothing here depends on its size. */
async function copySmall(photograph: string, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await sharp(join(heldOutPhotographs, photograph)).resize(64, 48).toFile(file);
}

test('ids depend on the pixels, too: a browser does not show cached pictures of another study', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'images'));
    const idsOf = async (photograph: string, study: string) => {
      await copySmall(photograph, join(folder, 'images', 'picture.jpg'));
      const { versions } = await prepareStudy({
        ...{ name: 'study', seed: 0, repeats: 0, methods: [original], onProgress: () => undefined },
        images: join(folder, 'images'),
        out: await openStudyPlace(openStore(join(folder, study)), []),
      });
      return versions.map(({ id }) => id);
    };
    const first = await idsOf('hedgehog.jpg', 'first');
    expect(await idsOf('hedgehog.jpg', 'again')).toEqual(first);
    expect(await idsOf('raccoon.jpg', 'other')).not.toEqual(first);
  });
});

test('pictures of the same name in two folders are not confused', async () => {
  await inFolder(async (folder) => {
    for (const [set, photograph] of [
      ['first', 'hawa-mahal.jpg'],
      ['second', 'raccoon.jpg'],
    ]) {
      await copySmall(photograph, join(folder, 'images', set, 'picture.jpg'));
    }
    const images = join(folder, 'images');
    const out = openStore(join(folder, 'study'));
    const { versions } = await prepareStudy({
      ...{ name: 'study', seed: 0, repeats: 0, onProgress: () => undefined, images },
      out: await openStudyPlace(out, [images]),
      methods: [original, await readyPictures('ready', images, images)],
    });
    expect(versions.map(({ picture, method }) => [picture, method])).toEqual([
      ['first/picture.jpg', 'original'],
      ['first/picture.jpg', 'ready'],
      ['second/picture.jpg', 'original'],
      ['second/picture.jpg', 'ready'],
    ]);
    const shown = await Promise.all(versions.map(({ id }) => out.get(pictureKey(id))));
    expect(shown[1].equals(shown[0])).toBe(true);
    expect(shown[3].equals(shown[2])).toBe(true);
  });
});

test('a study is not written among a user’s files, nor among its own originals', async () => {
  await inFolder(async (folder) => {
    const images = join(folder, 'images');
    await copySmall('raccoon.jpg', join(folder, 'images', 'raccoon.jpg'));
    const refused = (place: string) => openStudyPlace(openStore(join(folder, place)), [images]);
    for (const place of ['images', 'images/study', '.']) await expect(refused(place)).rejects.toThrow('which is read');
    await writeFile(join(folder, 'thesis.docx'), 'mine');
    await cp(join(folder, 'thesis.docx'), join(folder, 'mine', 'pictures', 'thesis.docx'));
    await expect(refused('mine')).rejects.toThrow('holds pictures/thesis.docx, which fourfold did not create');

    // The same command resumes an interrupted one.
    const plan = { name: 'study', seed: 0, repeats: 0, images, onProgress: () => undefined };
    const fails = { name: 'fails', make: () => Promise.reject(new Error('interrupted')) };
    const prepareIn = async (methods: Method[]) => prepareStudy({ ...plan, methods, out: await refused('study') });
    await expect(prepareIn([original, fails])).rejects.toThrow('interrupted');
    expect(await readdir(join(folder, 'study'))).toEqual(['pictures', 'unfinished.json']);
    await prepareIn([original]);
    expect(await readdir(join(folder, 'study'))).toEqual(['pictures', 'study.json']);
    await expect(refused('study')).rejects.toThrow('already holds a study');
  });
});

test('a study is a folder of this machine, by path or URL', () => {
  expect(studyFolder(pathToFileURL('/tmp/a study').href)).toBe('/tmp/a study');
  expect(studyFolder('study')).toBe(join(process.cwd(), 'study'));
  expect(() => studyFolder('s3://models/study')).toThrow('s3://models/study: a study is a folder on this machine');
});

test('a report’s figure does not overwrite its inputs, nor any other file without --force', async () => {
  await inFolder(async (folder) => {
    for (const name of ['opinions.png', 'study.json', 'ratings/ada.jsonl']) {
      await mkdir(join(folder, name, '..'), { recursive: true });
      await writeFile(join(folder, name), 'mine');
    }
    const report = async (figure: string, ...args: string[]) => {
      const { exitCode, stderr } = await fourfold(folder, 'mos', 'report', '.', '--figure', figure, ...args);
      expect(exitCode).toBeGreaterThan(0);
      expect(await readFile(join(folder, figure), 'utf8')).toBe('mine');
      return stderr;
    };
    expect(await report('opinions.png')).toContain('opinions.png already exists; name another file, or give --force');
    expect(await report('opinions.png', '--force')).toContain('study.json is not JSON');
    expect(await report('study.json', '--force')).toMatch(/study\.json is in .*, which is read/);
    expect(await report('ratings/ada.jsonl', '--force')).toMatch(/is in .*, which is read/);
  });
});

test('generators that come with fourfold are methods by their names', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'images'));
    const small = sharp(join(heldOutPhotographs, 'hedgehog.jpg')).resize(64, 48).png();
    await small.toFile(join(folder, 'images', 'hedgehog.png'));
    const options = ['--images', 'images', '--out', 'study', '--method', 'original', '--model', 'srresnet-mse'];
    const { exitCode, stdout, stderr } = await fourfold(folder, 'mos', 'prepare', ...options, '--json');
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ methods: ['original', 'srresnet-mse'], versions: 2 });
  });
});
