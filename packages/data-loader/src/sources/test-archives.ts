import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import tar from 'tar-stream';
import { ZipFile } from 'yazl';
import type { Picture } from '../picture.js';
import { photographCorner } from '../test-pictures.js';

/** Files by name. */
export type Files = Record<string, Buffer>;

const encode = ({ data, width, height }: Picture, format: 'jpg' | 'png'): Promise<Buffer> => {
  const raw = sharp(data, { raw: { width, height, channels: 3 } });
  return (format === 'jpg' ? raw.jpeg({ quality: 92 }) : raw.png()).toBuffer();
};

const photographs = ['chelsea.png', 'astronaut.png', 'rocket.jpg', 'moose.jpg', 'petra.jpg', 'bison.jpg', 'crab.jpg'];

/** The corner of a real photograph, another one for each number. */
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

/** Write a zip; of what is no picture, the entries are compressed. */
export async function writeZip(path: string, files: Files): Promise<string> {
  const zip = new ZipFile();
  for (const [name, bytes] of Object.entries(files)) zip.addBuffer(bytes, name, { compress: !/\.jpg$/.test(name) });
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}
