import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';

/*
 * An upscaled picture that waits to be encoded, in files, so that memory does not limit its size: pieces of equal height, from the
 * top, in libvips' own format (`.v`). sharp writes them, and reads the joined pieces a few rows at a time.
 */

/** A picture of 24000x16000 takes 35 pieces. */
const usualPieceBytes = 32 * 2 ** 20;

export interface Spool {
  /** Append whole rows. */
  write(rows: Uint8Array): Promise<void>;
  /** The picture, once all rows are there. */
  picture(): Promise<Sharp>;
}

/**
 * A spool in `folder`, which is the caller's to delete, for an 8-bit sRGB picture of this size with 3 or 4 channels. It gets the
 * metadata of `metadataCarrier`, a picture of one pixel.
 */
export function createSpool(
  folder: string,
  metadataCarrier: Sharp,
  { width, height, channels }: { width: number; height: number; channels: 3 | 4 },
  pieceBytes = usualPieceBytes,
): Spool {
  const rowBytes = width * channels;
  const pieceRows = Math.min(height, Math.max(1, Math.floor(pieceBytes / rowBytes)));
  const piece = new Uint8Array(pieceRows * rowBytes);
  let filled = 0;
  const paths: string[] = [];
  const writePiece = async () => {
    const path = join(folder, `${paths.length}.v`);
    await sharp(piece.subarray(0, filled), { raw: { width, height: filled / rowBytes, channels } }).toFile(path);
    paths.push(path);
    filled = 0;
  };
  return {
    async write(rows) {
      for (let at = 0; at < rows.length;) {
        const part = rows.subarray(at, at + piece.length - filled);
        piece.set(part, filled);
        at += part.length;
        filled += part.length;
        if (filled === piece.length) await writePiece();
      }
    },
    async picture() {
      if (filled > 0) await writePiece();
      // Joined pictures have the metadata of the first, which takes as many rows as the others.
      const carrier = await metadataCarrier.removeAlpha().png().toBuffer();
      return sharp([carrier, ...paths], { join: { across: 1 }, limitInputPixels: false })
        .extract({ left: 0, top: pieceRows, width, height })
        .keepMetadata();
    },
  };
}
