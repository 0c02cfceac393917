import { mkdtemp, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeError } from '@fourfold/common';
import { openStore } from '@fourfold/store';
import { downscale } from '@fourfold/imaging';
import { prepare, prepareDefaults, type PrepareOptions, type PrepareReport } from '../prepare/prepare.js';
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

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-sources-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
  await rm(`${folder}-datasets`, { recursive: true, force: true });
});

let datasets = 0;
const prepared = (images: string, changes: Partial<PrepareOptions> = {}): Promise<PrepareReport> =>
  prepare({
    ...prepareDefaults,
    images,
    store: openStore(join(`${folder}-datasets`, String(datasets++))),
    name: 'test',
    ...changes,
  });

/** The one line that a user is shown. */
const refusal = (images: string): Promise<string> => prepared(images).then(() => 'nothing', describeError);
const textFile = Buffer.from('no picture');
const without = (files: Files, prefix: string): Files =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name.replace(prefix, ''), bytes]));

describe('ImageNet', () => {
  const names = ['n01440764', 'n01443537', 'n01484850'].flatMap((c) => [1, 2, 30].map((i) => `${c}/${c}_${i}.JPEG`));

  it('gives the same sample as folders, as a tar of tars, as tars in a folder, and as a zip', async () => {
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
      await writeFolder(join(folder, 'train'), pictures),
      await writeTar(join(folder, 'ILSVRC2012_img_train.tar'), tars),
      await writeFolder(join(folder, 'classes'), tars),
      await writeZip(join(folder, 'imagenet.zip'), pictures),
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
    for (const files of Object.values(zips)) await writeFolder(join(folder, 'unpacked'), files);
    await writeFolder(join(folder, 'DIV2K', 'empty'), { 'notes.txt': textFile });
    for (const [name, files] of Object.entries(zips)) await writeZip(join(folder, 'DIV2K', `${name}.zip`), files);
    return join(folder, 'DIV2K');
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

  it('gives the same shards unpacked, and the other part on request', async () => {
    const place = await writeDiv2k(() => undefined);
    const fromZips = await prepared(place);
    const fromFolders = await prepared(join(folder, 'unpacked'));
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
    const place = await writeZip(join(folder, 'mirflickr25k.zip'), {
      ...pictures,
      'mirflickr/meta/tags/tags1.txt': textFile,
      'mirflickr/doc/README.txt': textFile,
      '__MACOSX/mirflickr/._im1.jpg': textFile,
    });
    const { taken, left, recognised } = await prepared(place);
    expect(taken.map(({ file }) => file)).toEqual(['im1.jpg', 'im2.jpg', 'im25000.jpg']);
    expect(left.map(({ file }) => file)).toEqual(['doc/README.txt', 'meta/tags/tags1.txt']);
    expect(recognised).toEqual({ set: 'MirFlickr25k', part: undefined });
    const unpacked = await prepared(await writeFolder(join(folder, 'mirflickr'), without(pictures, 'mirflickr/')));
    expect((await prepared(place)).manifest.shards).toEqual(unpacked.manifest.shards);
  });

  it('BSD300 from its tgz: one part is for training, the other is the BSD100 of the papers', async () => {
    const names = ['images/train/100075.jpg', 'images/train/100080.jpg', 'images/test/101085.jpg', 'iids_test.txt'];
    const pictures = { ...(await realPictures(names.slice(0, 3))), 'iids_test.txt': textFile };
    const files = Object.fromEntries(Object.entries(pictures).map(([name, bytes]) => [`BSDS300/${name}`, bytes]));
    const place = await writeTar(join(folder, 'BSDS300-images.tgz'), files);
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
    await writeFolder(folder, await realPictures(names));
    expect(await chosen(join(folder, 'Set5'))).toEqual({ set: 'Set5', part: 'test', names: ['baby.png'] });
    expect(await chosen(join(folder, 'Set14'))).toEqual({ set: 'Set14', part: 'test', names: ['HR/zebra.png'] });
    expect(await chosen(join(folder, 'B100'))).toMatchObject({ set: 'BSD100', names: ['GTmod12/3096.png'] });
    const [whole] = (await chosen(join(folder, 'bsd100'))).names;
    expect(await chosen(join(folder, 'bsd100'))).toMatchObject({ set: 'BSD100', names: [whole] });
    expect(whole).toBe('image_SRF_4/img_001_SRF_4_HR.png');
  });

  it('Set5 as BasicSR publishes it: whole, cropped and small in one folder; each photograph counts once', async () => {
    const folders = ['GTmod12', 'LRbicx2', 'LRbicx4', 'original'];
    const names = folders.flatMap((inner) => [`Set5/${inner}/baby.png`, `Set5/${inner}/bird.png`]);
    await writeFolder(folder, await realPictures([...names, 'Set14/GTmod12/zebra.png']));
    const whole = ['original/baby.png', 'original/bird.png'];
    expect(await chosen(join(folder, 'Set5'))).toEqual({ set: 'Set5', part: 'test', names: whole });
    // Of another set, the whole ones are missing.
    const inBoth = ['Set14/GTmod12/zebra.png', ...whole.map((name) => `Set5/${name}`)];
    expect((await chosen(folder)).names).toEqual(inBoth);
  });
});

describe('untrusted archives', () => {
  it('a tar that is cut off in an entry, in an entry of an inner tar, or between two, is refused, naming the entry', async () => {
    const classes: Files = {};
    for (const name of ['n01440764', 'n01443537']) {
      classes[`${name}.tar`] = await tarOf(await realPictures([`${name}_1.JPEG`, `${name}_2.JPEG`]));
    }
    const whole = await tarOf(classes);
    const path = join(folder, 'train.tar');
    const cutTo = async (length: number) => {
      await writeFile(path, whole.subarray(0, length));
      return refusal(path);
    };
    expect(await cutTo(whole.length - 4000)).toMatch(
      /^\S+train\.tar is damaged: it is cut off in n01443537\/n01443537_2\.JPEG; fetch the archive again$/,
    );
    expect(await cutTo(512 + classes['n01440764.tar'].length)).toMatch(
      /^\S+train\.tar is damaged: it is cut off after n01440764\/n01440764_2\.JPEG; .*$/,
    );
    const damaged = Buffer.from(whole);
    damaged.fill(0x55, 512 + classes['n01440764.tar'].length, 1024 + classes['n01440764.tar'].length);
    await writeFile(path, damaged);
    expect(await refusal(path)).toMatch(/ what follows n01440764\/n01440764_2\.JPEG is not a tar entry; fetch/);
  });

  it('a zip or tgz that is cut off is refused; a damaged picture in a zip is left out and named', async () => {
    const path = await writeZip(
      join(folder, 'photos.zip'),
      await realPictures(['a/one.jpg', 'a/two.jpg', 'a/three.png']),
    );
    const whole = await readFile(path);
    await truncate(path, whole.length - 100);
    expect(await refusal(path)).toMatch(
      /photos\.zip is damaged: its directory, at the end of a zip, cannot be read: .*; fetch/,
    );

    const damaged = Buffer.from(whole);
    damaged[whole.indexOf('a/two.jpg') + 2000] ^= 1;
    await writeFile(path, damaged);
    const { taken, left } = await prepared(path);
    expect(taken.map(({ file }) => file)).toEqual(['one.jpg', 'three.png']);
    expect(left).toEqual([{ file: 'two.jpg', reason: 'damaged in the zip: its checksum differs' }]);

    const tgz = await writeTar(join(folder, 'photos.tgz'), await realPictures(['one.jpg']));
    await truncate(tgz, 3000);
    expect(await refusal(tgz)).toMatch(/photos\.tgz is damaged: it cannot be unpacked: unexpected end of file; fetch/);
  });

  it('names that point outside are left out and nothing is written under them; two of one name count once', async () => {
    const good = await realPictures(['good.jpg', '../../out.jpg', '/root.jpg', 'line\nbreak.jpg']);
    const { taken, left } = await prepared(await writeTar(join(folder, 'hostile.tar'), good));
    expect(taken.map(({ file }) => file)).toEqual(['good.jpg']);
    expect(left).toEqual([
      { file: '../../out.jpg', reason: 'its name points outside the folder or archive' },
      { file: '/root.jpg', reason: 'its name points outside the folder or archive' },
      { file: 'line?break.jpg', reason: 'its name has control characters' },
    ]);
    const twice = Buffer.concat([
      (await tarOf(good)).subarray(0, -1024),
      await tarOf({ 'good.jpg': good['good.jpg'] }),
    ]);
    await writeFile(join(folder, 'twice.tar'), twice);
    expect((await prepared(join(folder, 'twice.tar'))).left).toContainEqual({
      file: 'good.jpg',
      reason: 'a second entry with this name',
    });
  });

  it('an entry that says it is enormous is not read', async () => {
    const path = await writeZip(join(folder, 'bomb.zip'), await realPictures(['good.jpg', 'bomb.png']));
    const bytes = await readFile(path);
    // The uncompressed size in the directory's record of the entry, 22 bytes before its name.
    bytes.writeUInt32LE(0x7fffffff, bytes.lastIndexOf('bomb.png') - 22);
    await writeFile(path, bytes);
    expect((await prepared(path)).left).toEqual([
      { file: 'bomb.png', reason: 'too large: 2147483647 bytes, at most 268435456 are read from an archive' },
    ]);
    // One that declares less than it unpacks to.
    bytes.writeUInt32LE(100, bytes.lastIndexOf('bomb.png') - 22);
    await writeFile(path, bytes);
    const [{ file, reason }] = (await prepared(path)).left;
    expect([file, reason]).toEqual([
      'bomb.png',
      expect.stringMatching(/^cannot be read from the zip: .*larger than 100 bytes/),
    ]);
  });

  it('a link to a folder is followed, but not in circles', async () => {
    const pictures = await realPictures(['a.jpg', 'b.jpg']);
    const elsewhere = await writeFolder(join(folder, 'elsewhere'), pictures);
    const images = await writeFolder(join(folder, 'images'), await realPictures(['c.jpg']));
    await symlink(elsewhere, join(images, 'linked'));
    await symlink(images, join(elsewhere, 'back'));
    await symlink('.', join(images, 'here'));
    const names = ['c.jpg', 'linked/a.jpg', 'linked/b.jpg'];
    const source = await openSource(images);
    await source.close();
    expect(source.files.map(({ name }) => name)).toEqual(names);
    expect((await openStore(images).list('')).map(({ key }) => key)).toEqual(names);
    expect((await openStore(images).list('linked/b')).map(({ key }) => key)).toEqual(['linked/b.jpg']);
  });

  it('a dataset among the photographs is left out: its tiles are not photographs', async () => {
    const images = await writeFolder(join(folder, 'images'), await realPictures(['a.jpg', 'b.jpg']));
    const store = openStore(join(folder, 'v1'));
    expect((await prepared(images, { store, tile: 200 })).taken).toHaveLength(2);
    await rename(join(folder, 'v1'), join(images, 'v1'));
    const again = await prepared(images);
    expect(again.taken.map(({ file }) => file)).toEqual(['a.jpg', 'b.jpg']);
    expect(again.left).toEqual([{ file: 'v1', reason: 'a dataset prepared by fourfold, not photographs' }]);
    expect(await refusal(join(images, 'v1'))).toMatch(/a dataset prepared by fourfold/);
  });

  it('a file that is not an archive is refused', async () => {
    await writeFolder(folder, { 'photo.jpg': textFile, 'photos.zip': textFile, 'photos.tar': textFile });
    expect(await refusal(join(folder, 'photo.jpg'))).toMatch(
      /photo\.jpg is neither a folder nor a zip, tar or tgz; name/,
    );
    expect(await refusal(join(folder, 'photos.zip'))).toMatch(/photos\.zip is damaged: its directory/);
    expect(await refusal(join(folder, 'photos.tar'))).toMatch(/photos\.tar is damaged: it is cut off/);
  });
});
