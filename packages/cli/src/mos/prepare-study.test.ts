import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openStore } from '@fourfold/common';
import { expect, test } from 'vitest';
import { heldOutPhotographs, inFolder } from '../test-support.js';
import { original, prepareStudy, readyPictures } from './prepare-study.js';
import { pictureKey, studyFolder } from './study.js';

test('ids are of the pixels, too: what a browser kept of another study is not shown', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'images'));
    const idsOf = async (photograph: string, study: string) => {
      await cp(join(heldOutPhotographs, photograph), join(folder, 'images', 'picture.jpg'));
      const { versions } = await prepareStudy({
        ...{ name: 'study', seed: 0, repeats: 0, methods: [original], onProgress: () => undefined },
        images: join(folder, 'images'),
        out: openStore(join(folder, study)),
      });
      return versions.map(({ id }) => id);
    };
    const first = await idsOf('hedgehog.jpg', 'first');
    expect(await idsOf('hedgehog.jpg', 'again')).toEqual(first);
    expect(await idsOf('raccoon.jpg', 'other')).not.toEqual(first);
  });
});

test('pictures of the same name in two folders are not taken for each other', async () => {
  await inFolder(async (folder) => {
    for (const [set, photograph] of [
      ['first', 'hawa-mahal.jpg'],
      ['second', 'raccoon.jpg'],
    ]) {
      await cp(join(heldOutPhotographs, photograph), join(folder, 'images', set, 'picture.jpg'));
    }
    const images = join(folder, 'images');
    const out = openStore(join(folder, 'study'));
    const { versions } = await prepareStudy({
      ...{ name: 'study', seed: 0, repeats: 0, onProgress: () => undefined, images, out },
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

test('a study is a folder of this machine, by path or URL', () => {
  expect(studyFolder(pathToFileURL('/tmp/a study').href)).toBe('/tmp/a study');
  expect(studyFolder('study')).toBe(join(process.cwd(), 'study'));
  expect(() => studyFolder('s3://models/study')).toThrow('s3://models/study: a study is a folder on this machine');
});
