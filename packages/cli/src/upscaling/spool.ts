import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import type { Sharp } from 'sharp';

/*
 * An upscaled picture that waits to be encoded, in a file, so that memory does not limit its size: libvips' own format (`.v`),
 * which is a header, the pixels and the metadata as XML, and which sharp reads piece by piece. Header and XML are what sharp
 * writes for one pixel of the source; the header's size is set here.
 */

const headerBytes = 64;
const magic = 0x08f2a6b6;
/** Offsets in the header, which consists of 32-bit little-endian numbers, and the values for 8-bit sRGB. */
const fields = { width: 4, height: 8, channels: 12, bits: 16, sample: 20, coding: 24, interpretation: 28 };
const unsigned8Bit = { bits: 8, sample: 0, coding: 0, interpretation: 22 };

export interface Spool {
  /** Append whole rows. */
  write(rows: Uint8Array): Promise<void>;
  /** All rows are there; the file can be read. */
  finish(): Promise<void>;
  /** Stop writing, whether it is finished or not; the file stays. */
  close(): Promise<void>;
}

/** Create the file at `path`, which ends in `.v`, for a picture of this size with 3 or 4 channels. It is the caller's to delete. */
export async function createSpool(
  path: string,
  metadataCarrier: Sharp,
  size: { width: number; height: number; channels: number },
): Promise<Spool> {
  await metadataCarrier.toFile(path);
  const onePixel = await readFile(path);
  const header = onePixel.subarray(0, headerBytes);
  assert.equal(header.readUInt32LE(0), magic, 'a .v file of a little-endian machine');
  for (const [field, value] of Object.entries({ ...unsigned8Bit, ...size })) {
    header.writeUInt32LE(value, fields[field as keyof typeof fields]);
  }
  const metadata = onePixel.subarray(onePixel.indexOf('<?xml', headerBytes));
  const file = await open(path, 'w');
  try {
    await file.writeFile(header);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    write: (rows) => file.writeFile(rows),
    async finish() {
      await file.writeFile(metadata);
      await file.close();
    },
    close: () => file.close(),
  };
}
