import sharp, { type Metadata, type Sharp } from 'sharp';
import { FourfoldError } from '@fourfold/common';
import { emptyFile, formatsRead, isTooLarge, otherFormat, tooLargeToDecode } from '@fourfold/imaging';
import { bleedColours } from './bleed.js';
import type { OutputFormat } from './formats.js';

/** A picture to upscale, as it is stored: not turned by its EXIF orientation, RGB not converted by its ICC profile. */
export interface SourcePicture {
  width: number;
  height: number;
  /** 8-bit RGB rows. Fully transparent pixels have the colours of the visible ones around them. */
  rgb: Uint8Array;
  /** 8-bit opacity rows, where the picture has any. */
  alpha?: Uint8Array;
  /** The picture is black and white, and so should the result be. */
  grey: boolean;
  /** One pixel of the picture, with its ICC profile, EXIF and XMP. */
  metadataCarrier: Sharp;
  /** Its format, if it can be written. */
  format: OutputFormat | undefined;
  /** What the result will not keep, as text. */
  losses: string[];
}

/**
 * Read any picture that sharp reads. Grey, CMYK and other colour spaces become sRGB through their profile; pages after the
 * first are left out; 16-bit samples become 8-bit. Throws `invalid` with only the reason.
 */
export async function readSourcePicture(bytes: Buffer): Promise<SourcePicture> {
  if (bytes.length === 0) throw new FourfoldError('invalid', emptyFile);
  try {
    return await decode(bytes);
  } catch (cause) {
    if (isTooLarge(cause)) throw new FourfoldError('invalid', tooLargeToDecode, { hint: 'cut it into parts' });
    // Only now: an AVIF may begin as HEIC files do.
    const known = otherFormat(bytes);
    if (known !== undefined) throw new FourfoldError('invalid', known);
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    if (reason.includes('unsupported image format')) {
      throw new FourfoldError('invalid', `its format is not one of ${formatsRead}`);
    }
    const [, detail] = /^(?:Input buffer (?:has corrupt header: |contains ))?(.*)$/s.exec(reason) ?? [];
    throw new FourfoldError('invalid', `truncated or damaged (${detail})`);
  }
}

async function decode(bytes: Buffer): Promise<SourcePicture> {
  const metadata = await sharp(bytes).metadata();
  const isRgb = ['srgb', 'rgb', 'rgb16'].includes(metadata.space ?? '');
  // RGB stays as it is and keeps its profile; what becomes sRGB here has its profile applied, and no longer needs it.
  // A mere warning of the decoder, such as of a stray byte, does not stop the upscaling.
  const open = () => sharp(bytes, { failOn: 'error', ignoreIcc: isRgb }).toColourspace('srgb');
  const { data, info } = await open().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const { rgb, alpha } = splitChannels(data, channels);
  if (alpha) bleedColours({ rgb, alpha, width, height });
  const carrier = open().extract({ left: 0, top: 0, width: 1, height: 1 }).keepExif().keepXmp();
  return {
    width,
    height,
    ...{ rgb, alpha },
    grey: ['b-w', 'grey16'].includes(metadata.space ?? ''),
    metadataCarrier: isRgb ? carrier.keepIccProfile() : carrier,
    format: writtenFormats[metadata.format],
    losses: lossesOf(metadata),
  };
}

/** Sharp's names of formats that are written. */
const writtenFormats: Partial<Record<string, OutputFormat>> = {
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  tiff: 'tiff',
  heif: 'avif',
};

/** Interleaved RGB or RGBA as colours and opacity. */
function splitChannels(data: Buffer, channels: number): { rgb: Uint8Array; alpha?: Uint8Array } {
  if (channels === 3) return { rgb: data };
  const pixels = data.length / channels;
  const rgb = new Uint8Array(3 * pixels);
  const alpha = new Uint8Array(pixels);
  for (let i = 0; i < pixels; i++) {
    rgb.set(data.subarray(channels * i, channels * i + 3), 3 * i);
    alpha[i] = data[channels * i + 3];
  }
  return { rgb, alpha };
}

function lossesOf({ depth, pages = 1, space }: Metadata): string[] {
  return [
    ...(depth && depth !== 'uchar' ? ['its samples have more than 8 bits; the result has 8'] : []),
    ...(pages > 1 ? [`it has ${pages} pages; the first is used`] : []),
    ...(space === 'cmyk' ? ['it is CMYK; the result is sRGB'] : []),
  ];
}
