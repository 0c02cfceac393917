import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { crc32, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import tar from 'tar-stream';
import { ZipFile } from 'yazl';
import type { Picture } from '@fourfold/imaging';
import { photographCorner } from '../test-pictures.js';

/** Files by name. */
export type Files = Record<string, Buffer>;

const encode = ({ data, width, height }: Picture, format: 'jpg' | 'png'): Promise<Buffer> => {
  const raw = sharp(data, { raw: { width, height, channels: 3 } });
  return (format === 'jpg' ? raw.jpeg({ quality: 92 }) : raw.png()).toBuffer();
};

const photographs = ['chelsea.png', 'astronaut.png', 'rocket.jpg', 'moose.jpg', 'petra.jpg', 'bison.jpg', 'crab.jpg'];

/** The corner of a real photograph, a different one for each index. */
export const realPicture = (index: number, width = 120 + 4 * index, height = 100): Promise<Picture> =>
  photographCorner(`train/${photographs[index % photographs.length]}`, width, height);

/** Encoded corners of real photographs, in the order of their names. */
export async function realPictures(names: readonly string[]): Promise<Files> {
  const files = names.map(async (name, index) => {
    const format = /\.png$/i.test(name) ? 'png' : 'jpg';
    return [name, await encode(await realPicture(index), format)] as const;
  });
  return Object.fromEntries(await Promise.all(files));
}

export const pngOf = (picture: Picture): Promise<Buffer> => encode(picture, 'png');

export async function writeFolder(folder: string, files: Files): Promise<string> {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}

/** A tar of these files, in their order. */
export async function tarOf(files: Files): Promise<Buffer> {
  const pack = tar.pack();
  for (const [name, bytes] of Object.entries(files)) pack.entry({ name, mtime: new Date(0) }, bytes);
  pack.finalize();
  return buffer(pack);
}

/** Write a tar, gzipped where its name says so. */
export async function writeTar(path: string, files: Files): Promise<string> {
  const whole = await tarOf(files);
  await writeFile(path, /gz$/.test(path) ? gzipSync(whole) : whole);
  return path;
}

/** Write a zip; entries other than JPEGs are compressed. */
export async function writeZip(path: string, files: Files): Promise<string> {
  const zip = new ZipFile();
  for (const [name, bytes] of Object.entries(files)) zip.addBuffer(bytes, name, { compress: !/\.jpg$/.test(name) });
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

/** An entry's name as it stands in a zip, and what the zip says of it. */
export interface RawName {
  name: string | Buffer;
  /** Whether the flag for UTF-8 is set. */
  isFlagged: boolean;
  /** 3 for Unix, 0 for Windows. */
  host: 0 | 3;
}

/** Write a zip whose names are exactly these; each entry has the same bytes. */
export async function writeRawZip(path: string, names: readonly RawName[], bytes: Buffer): Promise<string> {
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name: text, isFlagged, host } of names) {
    const name = Buffer.from(text);
    // What the header of an entry and its record in the directory share.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(isFlagged ? 0x800 : 0, 2);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02'), Buffer.from([20, host]), common, place, name);
    pieces.push(Buffer.from('PK\x03\x04'), common, name, bytes);
    offset += 30 + name.length + bytes.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(names.length, 8);
  end.writeUInt16LE(names.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  await writeFile(path, Buffer.concat([...pieces, listed, end]));
  return path;
}
