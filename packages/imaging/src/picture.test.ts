import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodePicture, decodePlain, encodePng, readHeader } from './picture.js';
import { photographCorner, photographPath, readPictureFile } from './test-pictures.js';

const raw = (data: Uint8Array | Uint16Array, width: number, height: number, channels: 1 | 2 | 3 | 4) =>
  sharp(data, { raw: { width, height, channels } });

const pixels = async (bytes: Buffer) => [...(await decodePicture(bytes)).data];

describe('decoding', () => {
  it('returns the pixels of a lossless file', async () => {
    const picture = await photographCorner('train/chelsea.png', 40, 30);
    const { data, width, height } = picture;
    const files = [
      await encodePng(picture),
      await raw(data, width, height, 3).webp({ lossless: true }).toBuffer(),
      await raw(data, width, height, 3).tiff({ compression: 'lzw' }).toBuffer(),
    ];
    for (const file of files) {
      expect(await decodePicture(file)).toMatchObject({ width, height });
      expect(Buffer.compare((await decodePicture(file)).data, data)).toBe(0);
    }
  });

  it('rounds 16-bit samples to the nearest of 256 levels', async () => {
    const deep = Uint16Array.of(0, 128, 129, 257 * 100 + 128, 257 * 100 + 129, 65535);
    const png = await raw(deep, 2, 1, 3).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(png).metadata()).depth).toBe('ushort');
    expect(await pixels(png)).toEqual([0, 0, 1, 100, 101, 255]);
  });

  it('spreads grey over three channels', async () => {
    const png = await raw(Uint8Array.of(3, 200), 2, 1, 1).toColourspace('b-w').png().toBuffer();
    expect((await sharp(png).metadata()).channels).toBe(1);
    expect(await pixels(png)).toEqual([3, 3, 3, 200, 200, 200]);
  });

  it('composites alpha on white, at 8 and at 16 bit', async () => {
    const rgba = Uint8Array.of(100, 0, 255, 51, 10, 20, 30, 255);
    const on = (value: number) => Math.round(value * 0.2 + 255 * 0.8);
    const expected = [on(100), on(0), on(255), 10, 20, 30];
    expect(await pixels(await raw(rgba, 2, 1, 4).png().toBuffer())).toEqual(expected);
    const deep = Uint16Array.from(rgba, (value) => value * 257);
    expect(await pixels(await raw(deep, 2, 1, 4).toColourspace('rgb16').png().toBuffer())).toEqual(expected);
  });

  it('applies the EXIF rotation', async () => {
    const bytes = await raw(Uint8Array.of(255, 0, 0, 0, 0, 255), 2, 1, 3)
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const { data, width, height } = await decodePicture(bytes);
    expect([width, height, ...data]).toEqual([1, 2, 255, 0, 0, 0, 0, 255]);
  });

  it('converts CMYK', async () => {
    const red = await raw(
      new Uint8Array(16 * 16 * 3).fill(0).map((_, i) => (i % 3 === 0 ? 200 : 20)),
      16,
      16,
      3,
    )
      .toColourspace('cmyk')
      .jpeg({ quality: 95 })
      .toBuffer();
    const { data } = await decodePicture(red);
    expect(data.length).toBe(16 * 16 * 3);
    expect(data[0]).toBeGreaterThan(150);
    expect(data[1]).toBeLessThan(90);
  });

  it('refuses a file that is not a whole picture, with a reason', async () => {
    const { data, width, height } = await photographCorner('train/chelsea.png', 200, 100);
    const jpeg = await raw(data, width, height, 3).jpeg().toBuffer();
    const webp = await raw(data, width, height, 3).webp().toBuffer();
    const png = await raw(data, width, height, 3).png().toBuffer();
    for (const whole of [jpeg, webp, png]) {
      const cut = whole.subarray(0, whole.length * 0.7);
      await expect(decodePicture(cut)).rejects.toMatchObject({ code: 'invalid', message: 'truncated or damaged' });
    }
    await expect(decodePicture(Buffer.from('hello'))).rejects.toThrow(
      'its format is not one of JPEG, PNG, WebP, TIFF, AVIF and GIF',
    );
    await expect(decodePicture(floatTiff())).rejects.toThrow(
      'its samples are of type float; only 8 and 16 bit are supported',
    );
  });

  it('rejects for an empty file, whichever function reads it', async () => {
    const refusal = { code: 'invalid', message: 'it is empty: 0 bytes' };
    const decodeCorner = (bytes: Uint8Array) => decodePlain(bytes, { left: 0, top: 0, width: 4, height: 4 });
    for (const read of [decodePicture, decodeCorner, readHeader]) {
      await expect(read(Buffer.alloc(0))).rejects.toMatchObject(refusal);
    }
  });

  it('reads AVIF, also of 10 bit, and the first frame of a GIF', async () => {
    const grey = raw(new Uint8Array(32 * 16 * 3).fill(200), 32, 16, 3);
    const frames = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i < 32 * 16 * 3 ? 200 : 9));
    const animation = sharp(frames, { raw: { width: 32, height: 32, channels: 3, pageHeight: 16 } });
    const files = [
      await grey.clone().avif({ lossless: true }).toBuffer(),
      await grey.clone().avif({ lossless: true, bitdepth: 10 }).toBuffer(),
      await animation.gif({ delay: [100, 100] }).toBuffer(),
    ];
    for (const file of files) {
      const { data, width, height } = await decodePicture(file);
      expect([width, height]).toEqual([32, 16]);
      expect(Math.max(...data.map((value) => Math.abs(value - 200)))).toBeLessThanOrEqual(1);
    }
  });

  it('names another format, whatever the file is called, and says what to do', async () => {
    const heic = await raw(new Uint8Array(16 * 16 * 3), 16, 16, 3)
      .avif()
      .toBuffer();
    heic.write('ftypheic', 4);
    const beginnings: Record<string, Buffer> = {
      HEIC: heic,
      BMP: Buffer.from('BM\x36\0\0\0', 'latin1'),
      'JPEG XL': Buffer.from('\xff\x0a\x10', 'latin1'),
      Photoshop: Buffer.from('8BPS\0\x01'),
    };
    for (const [format, bytes] of Object.entries(beginnings)) {
      const message = `it is ${format}, which is not supported: convert it to JPEG or PNG first`;
      await expect(decodePicture(bytes)).rejects.toMatchObject({ code: 'invalid', message });
    }
  });

  it('names the file that cannot be read', async () => {
    await expect(readPictureFile('/nowhere/a.png')).rejects.toMatchObject({
      code: 'not-found',
      message: 'file:///nowhere/a.png does not exist',
    });
    await expect(readPictureFile(photographPath('SOURCES.md'))).rejects.toThrow(
      /SOURCES\.md: its format is not one of JPEG/,
    );
  });
});

it('knows which files are already 8-bit RGB', async () => {
  const { data, width, height } = await photographCorner('train/chelsea.png', 32, 16);
  const rgb = raw(data, width, height, 3);
  const keeps = async (file: Sharp) => (await readHeader(await file.toBuffer())).keepsBytes;
  expect(await keeps(rgb.clone().jpeg())).toBe(true);
  expect(await keeps(rgb.clone().png())).toBe(true);
  expect(await keeps(rgb.clone().webp())).toBe(false);
  expect(await keeps(rgb.clone().ensureAlpha().png())).toBe(false);
  expect(await keeps(rgb.clone().withMetadata({ orientation: 3 }).jpeg())).toBe(false);
  expect(await keeps(rgb.clone().toColourspace('cmyk').jpeg())).toBe(false);
  expect(await keeps(rgb.clone().toColourspace('b-w').jpeg())).toBe(false);
  expect(await keeps(rgb.clone().toColourspace('rgb16').png())).toBe(false);
});

/** One grey pixel as a 32-bit float. */
function floatTiff(): Buffer {
  // Width, height, bits, compression, photometric, offset, channels, rows a strip, bytes, sample format.
  const tags = [256, 1, 257, 1, 258, 32, 259, 1, 262, 1, 273, 134, 277, 1, 278, 1, 279, 4, 339, 3];
  const file = Buffer.alloc(138);
  file.write('II*\0');
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(tags.length / 2, 8);
  for (let i = 0; i < tags.length / 2; i++) {
    const at = 10 + i * 12;
    file.writeUInt16LE(tags[i * 2], at);
    file.writeUInt16LE(4, at + 2);
    file.writeUInt32LE(1, at + 4);
    file.writeUInt32LE(tags[i * 2 + 1], at + 8);
  }
  file.writeFloatLE(0.5, 134);
  return file;
}
