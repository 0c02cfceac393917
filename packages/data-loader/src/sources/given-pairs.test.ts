import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { cropPicture, downscale, type Picture } from '@fourfold/imaging';
import { openStore } from '@fourfold/store';
import { createBatchSource } from '../batches/batch-source.js';
import { dataConfig } from '../test-pictures.js';
import { createGivenPairs, pairName } from './given-pairs.js';
import { pngOf, realPicture, writeFolder } from './test-archives.js';
import { usePrepareFolder } from './test-prepare.js';

const { inFolder, prepared } = usePrepareFolder();

test.each([
  ['DIV2K_train_HR/0001.png', 'X4/0001x4.png'],
  ['Canon_001_HR.png', 'Canon_001_LR4.png'],
  ['gt/a_GT.png', 'lq/a_LQ.jpg'],
  ['photo.jpg', 'photo.png'],
  ['img_001_SRF_4_HR.png', 'img_001_SRF_4_LR.png'],
])('%s and %s are a pair', (hr, lr) => {
  expect(pairName(lr)).toBe(pairName(hr));
});

test.each([
  ['0001.png', '0002x4.png'],
  ['canon_001_HR.png', 'nikon_001_LR4.png'],
])('%s and %s are none', (hr, lr) => {
  expect(pairName(lr)).not.toBe(pairName(hr));
});

/** What each photograph gets: an LR picture, or why there is none. */
function givenTo(photographs: string[], lrs: string[]): Record<string, string> {
  const files = lrs.map((name) => ({ name, sizeBytes: 0, read: () => Promise.resolve(Buffer.alloc(0)) }));
  const source = { title: 'lr', context: '', files, unusable: [], close: () => Promise.resolve() };
  const pairs = createGivenPairs(source, photographs);
  const lrOf = (name: string) => {
    try {
      return pairs.lrOf(name).name;
    } catch (error) {
      return (error as Error).message;
    }
  };
  return Object.fromEntries(photographs.map((name) => [name, lrOf(name)]));
}

describe('an LR picture serves one photograph', () => {
  test('photographs whose names differ only in what marks a pair', () => {
    expect(givenTo(['c.png', 'chr.png'], ['cx4.png'])).toEqual({
      'c.png': 'its LR picture cx4.png would also be that of chr.png',
      'chr.png': 'its LR picture cx4.png would also be that of c.png',
    });
  });

  test('photographs of one name in several folders', () => {
    expect(givenTo(['cat/1.png', 'dog/1.png'], ['lr/1.png'])).toMatchObject({
      'cat/1.png': 'its LR picture lr/1.png would also be that of dog/1.png',
    });
    expect(givenTo(['cat/1.png', 'dog/1.png'], ['cat/1.png'])).toEqual({
      'cat/1.png': 'cat/1.png',
      'dog/1.png': 'its LR picture cat/1.png would also be that of cat/1.png',
    });
    expect(givenTo(['cat/1.png', 'dog/1.png'], ['cat/1.png', 'dog/1.png'])).toEqual({
      'cat/1.png': 'cat/1.png',
      'dog/1.png': 'dog/1.png',
    });
  });
});

describe('prepare with pairs', () => {
  /** An LR picture that no down-sampling gives. */
  const inverted = (hr: Picture): Picture => {
    const lr = downscale(hr, 0);
    return { ...lr, data: lr.data.map((value) => 255 - value) };
  };

  async function writePairs() {
    const [a, b, odd, lone] = await Promise.all([
      realPicture(0, 240, 220),
      realPicture(1, 131, 109),
      realPicture(2, 120, 100),
      realPicture(3, 100, 100),
    ]);
    const files = { 'a.png': a, 'b.png': b, 'odd.png': odd, 'lone.png': lone };
    const lrs = {
      'ax4.png': inverted(a),
      'bx4.png': inverted(b),
      'oddx4.png': cropPicture(inverted(odd), { left: 0, top: 0, width: 29, height: 25 }),
    };
    const encoded = async (pictures: Record<string, Picture>) =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(pictures).map(async ([name, picture]) => [name, await pngOf(picture)] as const),
        ),
      );
    const [images, pairs] = [inFolder('hr'), inFolder('lr')];
    await writeFolder(images, await encoded(files));
    await writeFolder(pairs, await encoded(lrs));
    return { images, pairs, files };
  }

  test.each([undefined, 200])('takes LR as it is given (tile %s), and lists what does not fit', async (tile) => {
    const { images, pairs, files } = await writePairs();
    const store = openStore(inFolder('dataset'));
    const { taken, left, manifest } = await prepared(images, { store, pairs, tile, encoding: 'pixels' });
    expect(taken.map(({ file }) => file)).toEqual(['a.png', 'b.png']);
    expect(left).toEqual([
      { file: 'lone.png', reason: expect.stringMatching(/^it has no LR picture in .*lr$/) as string },
      { file: 'odd.png', reason: 'its LR picture oddx4.png is 29x25, a quarter of 120x100 is 30x25' },
    ]);
    expect(manifest).toMatchObject({ encoding: 'pixels', lr: 'given' });
    const data = dataConfig({ globalBatch: 8, windowPictures: 4 });
    const source = createBatchSource({ store, manifest, data, seed: 3 });
    const { hr, lr } = await source.batch(0, 0);
    source.close();
    // Each HR crop lies in a photograph, and its LR crop in the given LR picture at a quarter of that place.
    for (let i = 0; i < 8; i++) {
      const [crop, small] = [hr.subarray(i * 27648, (i + 1) * 27648), lr.subarray(i * 1728, (i + 1) * 1728)];
      const places = [files['a.png'], files['b.png']].flatMap((picture) => findCrop(picture, crop));
      expect(places).toHaveLength(1);
      const [{ picture, left, top }] = places;
      const region = { left: left / 4, top: top / 4, width: 24, height: 24 };
      expect(Buffer.compare(cropPicture(inverted(picture), region).data, small)).toBe(0);
    }
    const blurred = { store, manifest, data: { ...data, blurSigma: 1 }, seed: 3 };
    expect(() => createBatchSource(blurred)).toThrow(/data.blurSigma 1 makes LR of HR, but its LR pictures are given/);
  });

  test('refuses pairs in encoding keep, and an output among them', async () => {
    const { images, pairs } = await writePairs();
    await expect(prepared(images, { pairs })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('--pairs') as string,
    });
    const store = openStore(inFolder('lr', 'dataset'));
    await expect(prepared(images, { store, pairs, encoding: 'pixels' })).rejects.toThrow(/which is read/);
  });

  test('an LR picture that may be either of two is not guessed', async () => {
    const { images, pairs } = await writePairs();
    await writeFile(inFolder('lr', 'a_LR.png'), 'no matter what');
    const { left } = await prepared(images, { pairs, encoding: 'pixels' });
    expect(left[0]).toEqual({ file: 'a.png', reason: 'its LR picture may be a_LR.png or ax4.png' });
  });
});

function findCrop(picture: Picture, crop: Uint8Array) {
  const found: { picture: Picture; left: number; top: number }[] = [];
  for (let top = 0; top + 96 <= picture.height; top += 4) {
    for (let left = 0; left + 96 <= picture.width; left += 4) {
      const region = { left, top, width: 96, height: 96 };
      if (Buffer.compare(cropPicture(picture, region).data, crop) === 0) found.push({ picture, left, top });
    }
  }
  return found;
}
