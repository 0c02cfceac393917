import { createInflate } from 'node:zlib';
import type { Picture, Rectangle } from './picture.js';

/*
 * PNGs of 8-bit RGB whose rows are not filtered, as `encodePng` writes them: their pixels need only be inflated, and only as far down as
 * they are wanted. Other decoders convert whole pictures.
 */

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const pixelBytes = 3;

/** A PNG of 8-bit RGB, not interlaced. */
export interface PlainPng {
  width: number;
  height: number;
  /** The deflated rows, each after a byte that says how it is filtered. */
  deflated: Uint8Array;
}

/** What a file is, if it is such a PNG. */
export function readPlainPng(bytes: Uint8Array): PlainPng | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!file.subarray(0, signature.length).equals(signature)) return undefined;
  const parts: Buffer[] = [];
  let size: { width: number; height: number } | undefined;
  for (let at = signature.length; at + 12 <= file.length;) {
    const name = file.toString('latin1', at + 4, at + 8);
    const content = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
    if (name === 'IHDR') {
      // 8 bits, RGB, and neither another compression, another filtering nor interlacing.
      if (!content.subarray(8).equals(Buffer.from([8, 2, 0, 0, 0]))) return undefined;
      size = { width: content.readUInt32BE(0), height: content.readUInt32BE(4) };
    }
    if (name === 'tRNS') return undefined;
    if (name === 'IDAT') parts.push(content);
    at += 12 + content.length;
  }
  return size && parts.length > 0 ? { ...size, deflated: Buffer.concat(parts) } : undefined;
}

/**
 * A region of a PNG; undefined if its rows are filtered. Throws an `Error` if the rows cannot be inflated. The file's checksums are not
 * compared.
 */
export async function inflateRegion(
  { width, height, deflated }: PlainPng,
  region: Rectangle,
): Promise<Picture | undefined> {
  const rowBytes = 1 + width * pixelBytes;
  const bottom = Math.min(height, region.top + region.height);
  const rows = await inflateStart(deflated, bottom * rowBytes);
  for (let y = 0; y < bottom; y++) if (rows[y * rowBytes] !== 0) return undefined;
  const regionBytes = region.width * pixelBytes;
  const data = new Uint8Array(region.height * regionBytes);
  for (let y = 0; y < region.height; y++) {
    const begin = (region.top + y) * rowBytes + 1 + region.left * pixelBytes;
    data.set(rows.subarray(begin, begin + regionBytes), y * regionBytes);
  }
  return { data, width: region.width, height: region.height };
}

/** The first bytes of what was deflated. */
function inflateStart(deflated: Uint8Array, sizeBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const inflate = createInflate({ chunkSize: Math.max(64, sizeBytes) });
    const end = (settle: () => void) => {
      inflate.destroy();
      settle();
    };
    inflate.once('data', (start: Buffer) =>
      end(() => (start.length < sizeBytes ? reject(new Error('its pixels are truncated')) : resolve(start))),
    );
    inflate.once('end', () => end(() => reject(new Error('it has no pixels'))));
    inflate.once('error', reject);
    inflate.end(deflated);
  });
}
