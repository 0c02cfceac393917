import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSource } from './open-source.js';
import { tarOf, writeFolder, writeRawZip, writeTar } from './test-archives.js';

/*
 * A file has one name, or one reason to be left out, however it is packed.
 */

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-names-'));
});
afterEach(async () => rm(folder, { recursive: true }));

const bytes = Buffer.from('the bytes');
/** The same bytes under each of these names. */
const filesOf = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, bytes]));

async function listed(place: string) {
  const source = await openSource(place);
  try {
    for (const file of source.files) expect(await file.read()).toEqual(bytes);
    const left = source.unusable.map(({ file, reason }) => [file, reason]).sort();
    return { names: source.files.map(({ name }) => name), left };
  } finally {
    await source.close();
  }
}

test('a folder, a zip and a tar give the same names and refuse the same, with the same reason', async () => {
  const good = [
    'a:b.jpg',
    'a\\b.jpg',
    'm\u0439 \u00fc \u00df.jpg',
    // Persian and a family of emoji are written with joiners; hyphenation leaves soft hyphens.
    '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.jpg',
    '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}.jpg',
    'soft\u00adhyphen.jpg',
  ].sort();
  const bad: [name: string, shown: string, reason: string][] = [
    ['C:\\out.jpg', 'C:\\out.jpg', 'its name points outside the folder or archive'],
    ['line\nbreak.jpg', 'line?break.jpg', 'its name has control characters'],
    ['turned\u202egpj.exe.jpg', 'turned?gpj.exe.jpg', 'its name has control characters'],
    ['\ufffd.jpg', '\ufffd.jpg', 'its name is not UTF-8'],
  ];
  const names = [...good, ...bad.map(([name]) => name), '.hidden.jpg', '__MACOSX/a.jpg'];
  const raw = names.map((name) => ({ name, isFlagged: true, host: 3 as const }));
  const places = [
    await writeFolder(join(folder, 'photos'), filesOf(names)),
    await writeTar(join(folder, 'photos.tar'), filesOf(names)),
    await writeTar(join(folder, 'photos.tgz'), filesOf(names)),
    await writeRawZip(join(folder, 'photos.zip'), raw, bytes),
    await writeRawZip(
      join(folder, 'plain.zip'),
      raw.map((name) => ({ ...name, isFlagged: false })),
      bytes,
    ),
  ];
  for (const place of places) {
    expect(await listed(place)).toEqual({ names: good, left: bad.map(([, ...rest]) => rest).sort() });
  }
});

test('names that are not UTF-8: CP437 in a zip without the flag, refused everywhere else', async () => {
  const latin = Buffer.from('caf\xe9.jpg', 'latin1');
  const left = [['caf\ufffd.jpg', 'its name is not UTF-8']];
  const inFolder = join(folder, 'photos');
  await writeFolder(inFolder, { 'good.jpg': bytes });
  await writeFile(Buffer.concat([Buffer.from(`${inFolder}/`), latin]), bytes);
  expect(await listed(inFolder)).toEqual({ names: ['good.jpg'], left });
  const tar = await tarOf({ 'cafe.jpg': bytes });
  latin.copy(tar, tar.indexOf('cafe.jpg'));
  // The header's checksum is the sum of its bytes: correct it for the changed one.
  const sum = parseInt(tar.toString('latin1', 148, 154), 8) + 0xe9 - 'e'.charCodeAt(0);
  tar.write(sum.toString(8).padStart(6, '0'), 148);
  await writeFile(join(folder, 'photos.tar'), tar);
  expect(await listed(join(folder, 'photos.tar'))).toEqual({ names: [], left });
  const dos = [{ name: Buffer.from('caf\x82.jpg', 'latin1'), isFlagged: false, host: 0 as const }];
  expect((await listed(await writeRawZip(join(folder, 'dos.zip'), dos, bytes))).names).toEqual(['caf\u00e9.jpg']);
});

test('backslashes are slashes in zips of Windows; two files with one name count once, wherever they lie', async () => {
  const windows = ['dir\\a.jpg', 'b.jpg'].map((name) => ({ name, isFlagged: true, host: 0 as const }));
  await writeRawZip(join(folder, 'photos.zip'), windows, bytes);
  expect((await listed(join(folder, 'photos.zip'))).names).toEqual(['b.jpg', 'dir/a.jpg']);
  await writeFolder(join(folder, 'photos'), filesOf(['dir/a.jpg', 'c.jpg']));
  expect(await listed(folder)).toEqual({
    names: ['photos/b.jpg', 'photos/c.jpg', 'photos/dir/a.jpg'],
    left: [['photos/dir/a.jpg', 'a second entry with this name']],
  });
});
