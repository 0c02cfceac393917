import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { FourfoldError } from '@fourfold/common/basics';
import type { Picture } from './types.js';

/** A format of a picture's file. */
export type PictureFormat = 'png' | 'jpeg' | 'webp' | 'tiff' | 'avif';

const formats: Record<string, PictureFormat> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
  '.tif': 'tiff',
  '.tiff': 'tiff',
  '.avif': 'avif',
};

/** Encode a picture; JPEG and AVIF with a high quality, the others without loss. */
export async function encodePicture(picture: Picture, format: PictureFormat): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  const { data, width, height } = picture;
  const options = {
    // At this quality, chroma of half the size would be the largest loss.
    jpeg: { quality: 95, chromaSubsampling: '4:4:4' },
    avif: { quality: 80 },
    webp: { lossless: true },
    png: {},
    // By default sharp compresses it as JPEG.
    tiff: { compression: 'deflate' },
  }[format];
  return sharp(data, { raw: { width, height, channels: 3 } })
    .toFormat(format, options)
    .toBuffer();
}

/** Write a picture to a file, whose extension decides the format. A file that exists is overwritten. */
export async function writePicture(path: string, picture: Picture): Promise<void> {
  const format = formats[extname(path).toLowerCase()];
  if (!format) {
    throw new FourfoldError('invalid', `${path}: its extension is not one of ${Object.keys(formats).join(', ')}`);
  }
  await writeFile(path, await encodePicture(picture, format));
}
