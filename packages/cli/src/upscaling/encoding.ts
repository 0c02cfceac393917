import { extname } from 'node:path';
import type { Sharp } from 'sharp';
import { FourfoldError } from '@fourfold/common';

interface Encoding {
  name: string;
  /** Largest side in pixels that the format can hold. */
  largestSide: number;
  hasAlpha: boolean;
  encode: (picture: Sharp, sizeBytes: number) => Sharp;
}

// Optimised Huffman tables would need all of a JPEG's coefficients in memory at once.
const jpeg: Encoding = {
  name: 'JPEG',
  largestSide: 65_500,
  hasAlpha: false,
  encode: (picture) =>
    picture.flatten({ background: 'white' }).jpeg({ quality: 95, chromaSubsampling: '4:4:4', optimiseCoding: false }),
};
const png: Encoding = {
  name: 'PNG',
  largestSide: 1_000_000,
  hasAlpha: true,
  encode: (picture) => picture.png(),
};
const webp: Encoding = {
  name: 'WebP',
  largestSide: 16_383,
  hasAlpha: true,
  encode: (picture) => picture.webp({ quality: 95 }),
};
const tiff: Encoding = {
  name: 'TIFF',
  largestSide: 1_000_000,
  hasAlpha: true,
  encode: (picture, sizeBytes) => picture.tiff({ compression: 'deflate', bigtiff: sizeBytes > 2 ** 31 }),
};
const avif: Encoding = {
  name: 'AVIF',
  largestSide: 16_384,
  hasAlpha: true,
  encode: (picture) => picture.avif({ quality: 80, chromaSubsampling: '4:4:4' }),
};

const encodings: Record<string, Encoding> = {
  '.jpg': jpeg,
  '.jpeg': jpeg,
  '.png': png,
  '.webp': webp,
  '.tif': tiff,
  '.tiff': tiff,
  '.avif': avif,
};

/**
 * The encoding of the file that `path` names, by its extension. Throws `invalid` for an unknown one, and for a picture whose
 * longer side is more than the format can hold.
 */
export function encodingOf(path: string, longerSide: number): Encoding {
  const extension = extname(path).toLowerCase();
  const encoding = encodings[extension];
  if (!encoding) {
    throw new FourfoldError('invalid', `${path}: cannot write ${extension || 'a file without an extension'}`, {
      hint: `end its name in ${Object.keys(encodings).join(', ')}`,
    });
  }
  if (longerSide > encoding.largestSide) {
    throw new FourfoldError(
      'invalid',
      `${path}: a side of ${longerSide} pixels exceeds the limit of ${encoding.name}, ${encoding.largestSide}`,
      { hint: 'write a .png or .tiff' },
    );
  }
  return encoding;
}

/** Encode a picture into `path`. */
export async function encodePicture(
  picture: Sharp,
  path: string,
  { encode }: Encoding,
  { grey, sizeBytes }: { grey: boolean; sizeBytes: number },
): Promise<void> {
  await encode(grey ? picture.toColourspace('b-w') : picture, sizeBytes).toFile(path);
}
