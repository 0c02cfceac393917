import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openStore } from '@fourfold/common';
import { expect, test } from 'vitest';
import { heldOutPhotographs, inFolder } from '../test-support.js';
import { original, prepareStudy } from './prepare-study.js';
import { studyFolder } from './study.js';

test('ids are of the pixels, too: what a browser kept of another study is not shown', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'images'));
    const idsOf = async (photograph: string, study: string) => {
      await cp(join(heldOutPhotographs, photograph), join(folder, 'images', 'picture.jpg'));
      const { versions } = await prepareStudy({
        ...{ name: 'study', seed: 0, repeats: 0, methods: [original], onProgress: () => undefined },
        images: openStore(join(folder, 'images')),
        out: openStore(join(folder, study)),
      });
      return versions.map(({ id }) => id);
    };
    const first = await idsOf('hedgehog.jpg', 'first');
    expect(await idsOf('hedgehog.jpg', 'again')).toEqual(first);
    expect(await idsOf('raccoon.jpg', 'other')).not.toEqual(first);
  });
});

test('a study is a folder of this machine, by path or URL', () => {
  expect(studyFolder(pathToFileURL('/tmp/a study').href)).toBe('/tmp/a study');
  expect(studyFolder('study')).toBe(join(process.cwd(), 'study'));
  expect(() => studyFolder('s3://models/study')).toThrow('s3://models/study: a study is a folder on this machine');
});
