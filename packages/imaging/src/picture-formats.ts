/*
 * The picture formats that are read, and others that people have, recognised by the endings of names and by the first bytes of files.
 */

/** The formats that are read, in words. */
export const formatsRead = 'JPEG, PNG, WebP, TIFF, AVIF and GIF';

/** Sharp's names for them. Of HEIF, only AVIF is read: see `otherFormat`. */
export const sharpFormats = ['jpeg', 'png', 'webp', 'tiff', 'heif', 'gif'] as const;

/** Whether a file is named like a picture of a format that is read. */
export const isPictureName = (name: string): boolean => /\.(jpe?g|jpe|jfif|png|webp|tiff?|avif|gif)$/i.test(name);

interface Format {
  name: string;
  endings: RegExp;
  /** What its files begin with, one character per byte. */
  beginning?: RegExp;
}

const others: Format[] = [
  { name: 'HEIC', endings: /\.(heic|heif|hif)$/i, beginning: /^.{4}ftyp(hei|hev|mif1|msf1)/s },
  { name: 'BMP', endings: /\.(bmp|dib)$/i, beginning: /^BM/ },
  { name: 'JPEG XL', endings: /\.jxl$/i, beginning: /^(\xff\n|.{4}JXL )/s },
  { name: 'JPEG 2000', endings: /\.(jp2|j2k|jpx|jpf)$/i, beginning: /^(\xff\x4f\xff\x51|.{4}jP {2})/s },
  { name: 'Photoshop', endings: /\.ps[db]$/i, beginning: /^8BPS/ },
  { name: 'SVG', endings: /\.svgz?$/i },
  { name: 'PPM', endings: /\.p[bgpn]m$/i, beginning: /^P[1-6]\s/ },
  { name: 'camera raw', endings: /\.(dng|cr2|cr3|nef|arw|orf|rw2|raf)$/i },
];

/** Why a file is left out that is not named like a picture of a format that is read. */
export function whyNoPicture(name: string): string {
  const format = others.find(({ endings }) => endings.test(name));
  return format ? notRead(format.name) : 'not named like a picture';
}

/** Why these bytes, which no decoder knows, cannot be used, if they are recognised as another format. */
export function otherFormat(bytes: Uint8Array): string | undefined {
  const first = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  const format = others.find(({ beginning }) => beginning?.test(first));
  return format && notRead(format.name);
}

/** The reason for a picture of another format, with what to do. */
export const notRead = (format: string): string =>
  `it is ${format}, which is not supported: convert it to JPEG or PNG first`;
