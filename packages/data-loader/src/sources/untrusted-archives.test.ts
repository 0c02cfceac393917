import { readFile, rename, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '@fourfold/store';
import { expect, test } from 'vitest';
import { openSource } from './open-source.js';
import { realPictures, tarOf, writeFolder, writeTar, writeZip, type Files } from './test-archives.js';
import { usePrepareFolder } from './test-prepare.js';

/*
 * Archives and folders that are damaged, hostile or not what they seem.
 */

const { inFolder, prepared, refusal } = usePrepareFolder();
const textFile = Buffer.from('no picture');

test('a tar that is cut off in an entry, in an entry of an inner tar, or between two, is refused, naming the entry', async () => {
  const classes: Files = {};
  for (const name of ['n01440764', 'n01443537']) {
    classes[`${name}.tar`] = await tarOf(await realPictures([`${name}_1.JPEG`, `${name}_2.JPEG`]));
  }
  const whole = await tarOf(classes);
  const path = inFolder('train.tar');
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
  expect(await refusal(path)).toMatch(/ the data after n01440764\/n01440764_2\.JPEG is not a tar entry; fetch/);
});

test('a zip or tgz that is cut off is refused; a damaged picture in a zip is left out and named', async () => {
  const path = await writeZip(inFolder('photos.zip'), await realPictures(['a/one.jpg', 'a/two.jpg', 'a/three.png']));
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

  const tgz = await writeTar(inFolder('photos.tgz'), await realPictures(['one.jpg']));
  await truncate(tgz, 3000);
  expect(await refusal(tgz)).toMatch(/photos\.tgz is damaged: it cannot be unpacked: unexpected end of file; fetch/);
});

test('names that point outside are left out and nothing is written under them; two of one name count once', async () => {
  const good = await realPictures(['good.jpg', '../../out.jpg', '/root.jpg', 'line\nbreak.jpg']);
  const { taken, left } = await prepared(await writeTar(inFolder('hostile.tar'), good));
  expect(taken.map(({ file }) => file)).toEqual(['good.jpg']);
  expect(left).toEqual([
    { file: '../../out.jpg', reason: 'its name points outside the folder or archive' },
    { file: '/root.jpg', reason: 'its name points outside the folder or archive' },
    { file: 'line?break.jpg', reason: 'its name has control characters' },
  ]);
  const twice = Buffer.concat([(await tarOf(good)).subarray(0, -1024), await tarOf({ 'good.jpg': good['good.jpg'] })]);
  await writeFile(inFolder('twice.tar'), twice);
  expect((await prepared(inFolder('twice.tar'))).left).toContainEqual({
    file: 'good.jpg',
    reason: 'a second entry with this name',
  });
});

test('an entry that says it is enormous is not read', async () => {
  const path = await writeZip(inFolder('bomb.zip'), await realPictures(['good.jpg', 'bomb.png']));
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

test('a link to a folder is followed, but not in circles', async () => {
  const pictures = await realPictures(['a.jpg', 'b.jpg']);
  const elsewhere = await writeFolder(inFolder('elsewhere'), pictures);
  const images = await writeFolder(inFolder('images'), await realPictures(['c.jpg']));
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

test('a dataset among the photographs is left out: its tiles are not photographs', async () => {
  const images = await writeFolder(inFolder('images'), await realPictures(['a.jpg', 'b.jpg']));
  const store = openStore(inFolder('v1'));
  expect((await prepared(images, { store, tile: 200 })).taken).toHaveLength(2);
  await rename(inFolder('v1'), join(images, 'v1'));
  const again = await prepared(images);
  expect(again.taken.map(({ file }) => file)).toEqual(['a.jpg', 'b.jpg']);
  expect(again.left).toEqual([{ file: 'v1', reason: 'a dataset prepared by fourfold, not photographs' }]);
  expect(await refusal(join(images, 'v1'))).toMatch(/a dataset prepared by fourfold/);
});

test('a file that is not an archive is refused', async () => {
  await writeFolder(inFolder(), { 'photo.jpg': textFile, 'photos.zip': textFile, 'photos.tar': textFile });
  expect(await refusal(inFolder('photo.jpg'))).toMatch(/photo\.jpg is neither a folder nor a zip, tar or tgz; name/);
  expect(await refusal(inFolder('photos.zip'))).toMatch(/photos\.zip is damaged: its directory/);
  expect(await refusal(inFolder('photos.tar'))).toMatch(/photos\.tar is damaged: it is cut off/);
});
