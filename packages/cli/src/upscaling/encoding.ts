import { extname } from 'node:path';
import type { Sharp } from 'sharp';
import { FourfoldError } from '@fourfold/common';
import { formatOfName, type OutputFormat } from './formats.js';

interface Encoding {
  name: string;
  /** Largest side in pixels that the format can hold. */
  largestSide: number;
  hasAlpha: boolean;
  encode: (picture: Sharp, sizeBytes: number) => Sharp;
}

const encodings: Record<OutputFormat, Encoding> = {
  png: {
    name: 'PNG',
    largestSide: 1_000_000,
    hasAlpha: true,
    encode: (picture) => picture.png(),
  },
  // Optimised Huffman tables would need all of a JPEG's coefficients in memory at once.
  jpg: {
    name: 'JPEG',
    largestSide: 65_500,
    hasAlpha: false,
    encode: (picture) =>
      picture.flatten({ background: 'white' }).jpeg({ quality: 95, chromaSubsampling: '4:4:4', optimiseCoding: false }),
  },
  webp: {
    name: 'WebP',
    largestSide: 16_383,
    hasAlpha: true,
    encode: (picture) => picture.webp({ quality: 95 }),
  },
  tiff: {
    name: 'TIFF',
    largestSide: 1_000_000,
    hasAlpha: true,
    encode: (picture, sizeBytes) => picture.tiff({ compression: 'deflate', bigtiff: sizeBytes > 2 ** 31 }),
  },
  avif: {
    name: 'AVIF',
    largestSide: 16_384,
    hasAlpha: true,
    encode: (picture) => picture.avif({ quality: 80, chromaSubsampling: '4:4:4' }),
  },
};

/** The format that a file's extension names. Throws `invalid` for an unknown one. */
export function writtenFormat(path: string): OutputFormat {
  const format = formatOfName(path);
  if (format) return format;
  throw new FourfoldError('invalid', `${path}: cannot write ${extname(path) || 'a file without an extension'}`, {
    hint: 'end its name in .jpg, .png, .webp, .tiff or .avif, or give --format',
  });
}

/** A format's encoding. Throws `invalid` for a picture whose longer side is more than the format can hold. */
export function encodingOf(name: string, format: OutputFormat, longerSide: number): Encoding {
  const encoding = encodings[format];
  if (longerSide <= encoding.largestSide) return encoding;
  throw new FourfoldError(
    'invalid',
    `${name}: a side of ${longerSide} pixels exceeds the limit of ${encoding.name}, ${encoding.largestSide}`,
    { hint: 'write a .png or .tiff' },
  );
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
