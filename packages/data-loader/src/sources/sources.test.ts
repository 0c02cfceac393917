import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { downscale } from '@fourfold/imaging';
import { choosePhotographs } from './layouts.js';
import { openSource } from './open-source.js';
import {
  pngOf,
  realPicture,
  realPictures,
  tarOf,
  writeFolder,
  writeTar,
  writeZip,
  type Files,
} from './test-archives.js';
import { usePrepareFolder } from './test-prepare.js';

/*
 * Data sets as their makers publish them. What is wrong with an archive: untrusted-archives.test.ts; `--part`: parts.test.ts.
 */

const { inFolder, prepared } = usePrepareFolder();
const textFile = Buffer.from('no picture');
const without = (files: Files, prefix: string): Files =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name.replace(prefix, ''), bytes]));

describe('ImageNet', () => {
  const names = ['n01440764', 'n01443537', 'n01484850'].flatMap((c) => [1, 2, 30].map((i) => `${c}/${c}_${i}.JPEG`));

  it('gives the same sample as folders, as a tar of tars, as tars in a inFolder(), and as a zip', async () => {
    const pictures = await realPictures(names);
    const tars: Files = {};
    for (const name of ['n01484850', 'n01440764', 'n01443537']) {
      const ofClass = Object.entries(pictures).filter(([file]) => file.startsWith(name));
      const inClass = without(Object.fromEntries(ofClass.reverse()), `${name}/`);
      // As `tar -C FOLDER .` names them, in one.
      const named = Object.entries(inClass).map(([file, bytes]) => [name === 'n01440764' ? `./${file}` : file, bytes]);
      tars[`./${name}.tar`] = await tarOf(Object.fromEntries(named) as Files);
    }
    const places = [
      await writeFolder(inFolder('train'), pictures),
      await writeTar(inFolder('ILSVRC2012_img_train.tar'), tars),
      await writeFolder(inFolder('classes'), tars),
      await writeZip(inFolder('imagenet.zip'), pictures),
    ];
    const [first, ...others] = await Promise.all(
      places.map((place) => prepared(place, { sample: 4, seed: 3, shardSizeBytes: 20_000 })),
    );
    expect(first.taken).toHaveLength(4);
    expect(first.recognised).toEqual({ set: 'ImageNet', part: 'train' });
    for (const other of others) expect(other).toEqual(first);
    const another = await prepared(places[1], { sample: 4, seed: 4 });
    expect(another.taken.map(({ file }) => file)).not.toEqual(first.taken.map(({ file }) => file));
  });
});

describe('DIV2K', () => {
  /** Two photographs for training and one for validation as the makers' zips hold them, and the official LR of the first two. */
  async function writeDiv2k(change: (lr: Uint8Array) => void): Promise<string> {
    const zips: Record<string, Files> = {};
    for (const [index, [part, id]] of [
      ['train', '0001'],
      ['train', '0002'],
      ['valid', '0801'],
    ].entries()) {
      const hr = await realPicture(index);
      const lr = downscale(hr, 0);
      if (id === '0002') change(lr.data);
      const add = async (name: string, file: string, picture: typeof hr) =>
        ((zips[name] ??= {})[file] = await pngOf(picture));
      await add(`DIV2K_${part}_HR`, `DIV2K_${part}_HR/${id}.png`, hr);
      if (part === 'valid') continue;
      await add(`DIV2K_${part}_LR_bicubic_X4`, `DIV2K_${part}_LR_bicubic/X4/${id}x4.png`, lr);
      await add(`DIV2K_${part}_LR_mild`, `DIV2K_${part}_LR_mild/${id}x4m.png`, lr);
    }
    for (const files of Object.values(zips)) await writeFolder(inFolder('unpacked'), files);
    await writeFolder(inFolder('DIV2K', 'empty'), { 'notes.txt': textFile });
    for (const [name, files] of Object.entries(zips)) await writeZip(inFolder('DIV2K', `${name}.zip`), files);
    return inFolder('DIV2K');
  }

  it('is read from its zips; official LR pictures are compared bit for bit, but not trained on', async () => {
    const place = await writeDiv2k((lr) => {
      lr[5] ^= 2;
      lr[300] += lr[300] > 200 ? -3 : 3;
    });
    const { taken, left, pairs, recognised } = await prepared(place);
    expect(taken.map(({ file }) => file)).toEqual(['DIV2K_train_HR/0001.png', 'DIV2K_train_HR/0002.png']);
    expect(recognised).toEqual({ set: 'DIV2K', part: 'train' });
    expect(pairs).toEqual({
      equal: 1,
      different: [
        {
          file: 'DIV2K_train_HR/0002.png',
          lr: 'DIV2K_train_LR_bicubic_X4/X4/0002x4.png',
          values: 2,
          of: 31 * 25 * 3,
          largest: 3,
        },
      ],
    });
    const derived = 'made from a photograph of DIV2K';
    expect(left).toEqual([
      { file: 'DIV2K_train_LR_bicubic_X4/X4/0001x4.png', reason: derived },
      { file: 'DIV2K_train_LR_bicubic_X4/X4/0002x4.png', reason: derived },
      { file: 'DIV2K_train_LR_mild/0001x4m.png', reason: derived },
      { file: 'DIV2K_train_LR_mild/0002x4m.png', reason: derived },
      { file: 'DIV2K_valid_HR/0801.png', reason: 'of the validation part' },
      { file: 'empty/notes.txt', reason: 'not named like a picture' },
    ]);
  });

  it('is recognised in several places given together', async () => {
    const place = await writeDiv2k(() => undefined);
    const [hr, lr] = ['DIV2K_train_HR.zip', 'DIV2K_train_LR_bicubic_X4.zip'].map((name) => join(place, name));
    const { taken, recognised, pairs } = await prepared([hr, lr]);
    expect(taken.map(({ file }) => file)).toEqual(['DIV2K_train_HR/0001.png', 'DIV2K_train_HR/0002.png']);
    expect({ recognised, pairs }).toEqual({
      recognised: { set: 'DIV2K', part: 'train' },
      pairs: { equal: 2, different: [] },
    });
  });

  it('gives the same shards unpacked, and the other part on request', async () => {
    const place = await writeDiv2k(() => undefined);
    const fromZips = await prepared(place);
    const fromFolders = await prepared(inFolder('unpacked'));
    expect(fromFolders.manifest.shards).toEqual(fromZips.manifest.shards);
    expect(fromFolders.pairs).toEqual({ equal: 2, different: [] });
    const validation = await prepared(place, { part: 'validation' });
    expect(validation.taken.map(({ file }) => file)).toEqual(['DIV2K_valid_HR/0801.png']);
    expect((await prepared(place, { part: 'all' })).taken).toHaveLength(3);
  });
});

describe('other data sets', () => {
  const chosen = async (place: string) => {
    const source = await openSource(place);
    const { set, part, photographs } = choosePhotographs(source, ['test', 'validation', 'train']);
    await source.close();
    return { set, part, names: photographs.map(({ name }) => name) };
  };

  it('MirFlickr25k from its zip, where tags and EXIF lie beside the pictures', async () => {
    const pictures = await realPictures(['mirflickr/im2.jpg', 'mirflickr/im1.jpg', 'mirflickr/im25000.jpg']);
    const place = await writeZip(inFolder('mirflickr25k.zip'), {
      ...pictures,
      'mirflickr/meta/tags/tags1.txt': textFile,
      'mirflickr/doc/README.txt': textFile,
      '__MACOSX/mirflickr/._im1.jpg': textFile,
    });
    const { taken, left, recognised } = await prepared(place);
    expect(taken.map(({ file }) => file)).toEqual(['im1.jpg', 'im2.jpg', 'im25000.jpg']);
    expect(left.map(({ file }) => file)).toEqual(['doc/README.txt', 'meta/tags/tags1.txt']);
    expect(recognised).toEqual({ set: 'MirFlickr25k', part: undefined });
    const unpacked = await prepared(await writeFolder(inFolder('mirflickr'), without(pictures, 'mirflickr/')));
    expect((await prepared(place)).manifest.shards).toEqual(unpacked.manifest.shards);
  });

  it('BSD300 from its tgz: one part is for training, the other is the BSD100 of the papers', async () => {
    const names = ['images/train/100075.jpg', 'images/train/100080.jpg', 'images/test/101085.jpg', 'iids_test.txt'];
    const pictures = { ...(await realPictures(names.slice(0, 3))), 'iids_test.txt': textFile };
    const files = Object.fromEntries(Object.entries(pictures).map(([name, bytes]) => [`BSDS300/${name}`, bytes]));
    const place = await writeTar(inFolder('BSDS300-images.tgz'), files);
    const { taken, recognised } = await prepared(place);
    expect(taken.map(({ file }) => file)).toEqual(['images/train/100075.jpg', 'images/train/100080.jpg']);
    expect(recognised).toEqual({ set: 'BSD300', part: 'train' });
    expect(await chosen(place)).toEqual({ set: 'BSD100', part: 'test', names: ['images/test/101085.jpg'] });
  });

  it('Set5, Set14 and BSD100 as plain folders, and with what others publish beside them', async () => {
    const names = [
      ...['Set5/baby.png', 'Set14/HR/zebra.png', 'Set14/LR_bicubic/X4/zebrax4.png', 'B100/GTmod12/3096.png'],
      ...['bsd100/image_SRF_4/img_001_SRF_4_HR.png', 'bsd100/image_SRF_4/img_001_SRF_4_LR.png'],
      ...['bsd100/image_SRF_4/img_001_SRF_4_bicubic.png', 'bsd100/image_SRF_2/img_001_SRF_2_HR.png'],
    ];
    await writeFolder(inFolder(), await realPictures(names));
    expect(await chosen(inFolder('Set5'))).toEqual({ set: 'Set5', part: 'test', names: ['baby.png'] });
    expect(await chosen(inFolder('Set14'))).toEqual({ set: 'Set14', part: 'test', names: ['HR/zebra.png'] });
    expect(await chosen(inFolder('B100'))).toMatchObject({ set: 'BSD100', names: ['GTmod12/3096.png'] });
    const [whole] = (await chosen(inFolder('bsd100'))).names;
    expect(await chosen(inFolder('bsd100'))).toMatchObject({ set: 'BSD100', names: [whole] });
    expect(whole).toBe('image_SRF_4/img_001_SRF_4_HR.png');
  });

  it('Set5 as BasicSR publishes it: whole, cropped and small in one folder; each photograph counts once', async () => {
    const folders = ['GTmod12', 'LRbicx2', 'LRbicx4', 'original'];
    const names = folders.flatMap((inner) => [`Set5/${inner}/baby.png`, `Set5/${inner}/bird.png`]);
    await writeFolder(inFolder(), await realPictures([...names, 'Set14/GTmod12/zebra.png']));
    const whole = ['original/baby.png', 'original/bird.png'];
    expect(await chosen(inFolder('Set5'))).toEqual({ set: 'Set5', part: 'test', names: whole });
    // Of another set, the uncropped ones are missing.
    const inBoth = ['Set14/GTmod12/zebra.png', ...whole.map((name) => `Set5/${name}`)];
    expect((await chosen(inFolder())).names).toEqual(inBoth);
  });
});
