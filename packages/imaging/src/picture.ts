import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { FourfoldError, type Picture, type Rectangle } from '@fourfold/common/basics';
import type { ObjectStore } from '@fourfold/store';
import { formatsRead, notRead, otherFormat, sharpFormats } from './picture-formats.js';

export type { Picture, Rectangle };

/*
 * Pixels are taken as they are stored, as PyTorch's and BasicSR's loaders do: RGB profiles are neither applied nor undone. Any
 * decoder warning is an error, so that a truncated file is refused instead of filled with grey.
 */
const decoding: SharpOptions = { failOn: 'warning', ignoreIcc: true };

/** A file's format, and whether its pixels are already 8-bit RGB, so that a dataset can keep its bytes. */
export interface PictureHeader {
  format: (typeof sharpFormats)[number];
  keepsBytes: boolean;
  /** As stored: EXIF rotation may exchange the sides. */
  width: number;
  height: number;
}

/** Read a file's header. Throws `invalid` with only the reason for anything but a picture of a format that is read. */
export async function readHeader(bytes: Uint8Array): Promise<PictureHeader> {
  const metadata = await readMetadata(bytes);
  const { width, height } = metadata;
  return { format: formatOf(metadata), keepsBytes: isPlainRgb(metadata), width, height };
}

/**
 * Decode a picture (of several pages or frames, the first) to 8-bit RGB. EXIF rotation is applied; grey becomes three equal
 * channels; CMYK is converted through its embedded profile or a standard one; 16-bit samples become round(v / 257); alpha is
 * composited on white, as on a web page. Throws `invalid` with only the reason.
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const metadata = await readMetadata(bytes);
  formatOf(metadata);
  if (metadata.depth !== 'uchar' && metadata.depth !== 'ushort') {
    throw new FourfoldError('invalid', `its samples are of type ${metadata.depth}; only 8 and 16 bit are supported`);
  }
  const deep = metadata.depth === 'ushort';
  const options = { ...decoding, ignoreIcc: metadata.space !== 'cmyk' };
  const { data, info } = await decoded(bytes, options, (file) =>
    file
      .autoOrient()
      .toColourspace(deep ? 'rgb16' : 'srgb')
      .raw({ depth: deep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true }),
  );
  const samples = deep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  const { width, height, channels } = info;
  return { data: toRgb(samples, channels, deep ? 65535 : 255), width, height };
}

/**
 * Decode a region of a stored picture that `keepsBytes` or that `encodePng` wrote: 8-bit RGB, nothing to convert. What lies below the region
 * is not decoded.
 */
export async function decodePlain(bytes: Uint8Array, region: Rectangle): Promise<Picture> {
  const { data, info } = await decoded(bytes, decoding, (file) =>
    file.extract(region).raw().toBuffer({ resolveWithObject: true }),
  );
  if (info.channels !== 3) throw new FourfoldError('invalid', `it has ${info.channels} channels, not 3`);
  return { data, width: info.width, height: info.height };
}

/** Read a stored picture as `decodePicture` does. Throws `invalid` or what the store does, naming the picture. */
export async function readPicture(store: ObjectStore, key: string): Promise<Picture> {
  return withName(`${store.url}/${key}`, decodePicture(await store.get(key)));
}

/** Await work on one picture; a FourfoldError is rethrown with the picture's name before its reason. */
export async function withName<T>(name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof FourfoldError
      ? new FourfoldError(error.code, `${name}: ${error.message}`, error.options)
      : error;
  }
}

/** sharp, loaded with the first picture: it takes longer to load than the rest of a short command's time. */
const loadSharp = async () => (await import('sharp')).default;

/** Encode a picture losslessly as an 8-bit RGB PNG. */
export async function encodePng({ data, width, height }: Picture): Promise<Buffer> {
  const sharp = await loadSharp();
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** Encode a picture losslessly as an 8-bit RGB WebP: smaller than a PNG, for browsers. */
export async function encodeWebp({ data, width, height }: Picture): Promise<Buffer> {
  const sharp = await loadSharp();
  return sharp(data, { raw: { width, height, channels: 3 } })
    .webp({ lossless: true, effort: 2 })
    .toBuffer();
}

/** Copy a region, which must lie within the picture. */
export function cropPicture({ data, width }: Picture, region: Rectangle): Picture {
  const out = new Uint8Array(region.width * region.height * 3);
  for (let y = 0; y < region.height; y++) {
    const start = ((region.top + y) * width + region.left) * 3;
    out.set(data.subarray(start, start + region.width * 3), y * region.width * 3);
  }
  return { data: out, width: region.width, height: region.height };
}

/** Crop at the bottom and the right so that width and height are multiples of `multiple`. */
export function cropToMultiple(picture: Picture, multiple: number): Picture {
  const width = picture.width - (picture.width % multiple);
  const height = picture.height - (picture.height % multiple);
  return cropPicture(picture, { left: 0, top: 0, width, height });
}

function isPlainRgb({ format, channels, depth, space, hasAlpha, orientation }: Metadata): boolean {
  const kept = format === 'jpeg' || format === 'png';
  const upright = orientation === undefined || orientation === 1;
  return kept && channels === 3 && depth === 'uchar' && space === 'srgb' && !hasAlpha && upright;
}

function formatOf({ format, compression }: Metadata): PictureHeader['format'] {
  const known = sharpFormats.find((name) => name === format);
  if (known === 'heif' && compression !== 'av1') throw new FourfoldError('invalid', notRead('HEIC'));
  if (!known) throw new FourfoldError('invalid', notRead(format));
  return known;
}

const readMetadata = (bytes: Uint8Array) => decoded(bytes, decoding, (file) => file.metadata());

/**
 * What sharp makes of a file's bytes; the only place that passes it any. It refuses some at once and others later: both become
 * `invalid` with the reason. Its own message is only the cause: concurrent decodings share its message buffer, so the message may be
 * missing or another file's.
 */
async function decoded<T>(bytes: Uint8Array, options: SharpOptions, use: (file: Sharp) => Promise<T>): Promise<T> {
  if (bytes.length === 0) throw new FourfoldError('invalid', emptyFile);
  const sharp = await loadSharp();
  try {
    return await use(sharp(bytes, options));
  } catch (cause) {
    const foreign = cause instanceof Error && cause.message.includes('unsupported image format');
    const reason = otherFormat(bytes) ?? (foreign ? `its format is not one of ${formatsRead}` : 'truncated or damaged');
    throw new FourfoldError('invalid', isTooLarge(cause) ? tooLargeToDecode : reason, { cause });
  }
}

/** The reason for an empty file. */
export const emptyFile = 'it is empty: 0 bytes';

/** The reason for a picture with more pixels than sharp decodes. */
export const tooLargeToDecode = 'too large: more than 268 million pixels';

/** Whether sharp refused a picture for its size. */
export const isTooLarge = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('exceeds pixel limit');

/** Samples of 1 to 4 channels (grey, grey and alpha, RGB, RGB and alpha) in 0..max as RGB on white in 0..255. */
function toRgb(samples: Uint8Array | Uint16Array, channels: number, max: number): Uint8Array {
  if (channels === 3 && samples instanceof Uint8Array) return samples;
  const hasAlpha = channels === 2 || channels === 4;
  const colours = hasAlpha ? channels - 1 : channels;
  const pixels = samples.length / channels;
  const out = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const alpha = hasAlpha ? samples[i * channels + colours] / max : 1;
    for (let c = 0; c < 3; c++) {
      const value = samples[i * channels + (colours === 1 ? 0 : c)] / max;
      out[i * 3 + c] = Math.round((value * alpha + 1 - alpha) * 255);
    }
  }
  return out;
}
