import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeError, FourfoldError } from '@fourfold/common';
import { partialName, storageError, writeOutputFile } from '@fourfold/store';
import type { Picture, Rectangle } from '@fourfold/imaging';
import { upscaleAlpha } from './alpha.js';
import { encodePicture, encodingOf } from './encoding.js';
import { readSourcePicture, type SourcePicture } from './source-picture.js';
import { createSpool } from './spool.js';
import { planBands } from './tiles.js';

export interface UpscaleFileOptions {
  input: string;
  /** Its extension decides the format. Written as `writeOutputFile` does. */
  output: string;
  /** Whether the output may be overwritten. */
  force: boolean;
  /** Largest side of a tile in LR pixels. */
  tile: number;
  /** A region of an 8-bit RGB picture to 4 times the width and height. */
  upscale: (lr: Picture, region: Rectangle) => Picture;
  onProgress: (done: number, total: number) => void;
  signal: AbortSignal;
}

/** Sizes in pixels, and what the output does not keep of the input, as text. */
export interface UpscaleReport {
  from: { width: number; height: number };
  to: { width: number; height: number };
  losses: string[];
}

/**
 * Upscale a picture file, tile by tile, so that memory holds the input and one band of tiles of the output. Opacity is upscaled
 * by bicubic, and transparent pixels do not affect visible colours; ICC profile, EXIF (with its orientation: the pixels stay as
 * they are stored) and XMP are kept. Throws `invalid` and `not-found` for an unusable input or output, before any work;
 * `no-space`.
 */
export async function upscaleFile(options: UpscaleFileOptions): Promise<UpscaleReport> {
  const { input, output, force } = options;
  const source = await readSourcePicture(input);
  const { width, height, alpha, grey } = source;
  const to = { width: 4 * width, height: 4 * height };
  const encoding = encodingOf(output, Math.max(to.width, to.height));
  const channels = alpha ? 4 : 3;
  const spoolFolder = join(dirname(output), `${partialName()}.pieces`);
  const writing = <T>(written: Promise<T>): Promise<T> =>
    written.catch((cause: unknown) => {
      throw writeError(output, cause);
    });
  try {
    await writing(mkdir(spoolFolder));
    const spool = createSpool(spoolFolder, source.metadataCarrier, { ...to, channels });
    for await (const rows of upscaledBands(source, options)) await writing(spool.write(rows));
    const picture = await writing(spool.picture());
    const sizeBytes = to.width * to.height * channels;
    await writeOutputFile(output, { force }, (partial) =>
      writing(encodePicture(picture, partial, encoding, { grey, sizeBytes })),
    );
  } finally {
    await rm(spoolFolder, { recursive: true, force: true });
  }
  const lostAlpha = alpha && !encoding.hasAlpha ? [`${encoding.name} has no transparency; it is put on white`] : [];
  return { from: { width, height }, to, losses: [...source.losses, ...lostAlpha] };
}

/** The output's rows, a band of tiles at a time. */
async function* upscaledBands(
  source: SourcePicture,
  { input, tile, upscale, onProgress, signal }: UpscaleFileOptions,
): AsyncGenerator<Uint8Array> {
  const { rgb: data, alpha, width, height } = source;
  const bands = planBands(width, height, tile);
  const total = bands.length * bands[0].length;
  let done = 0;
  for (const band of bands) {
    const rows = new Uint8Array(16 * width * band[0].height * (alpha ? 4 : 3));
    for (const region of band) {
      onProgress(done++, total);
      // Computing blocks the thread: signals and the progress bar get a turn between tiles.
      await new Promise(setImmediate);
      signal.throwIfAborted();
      const colours = upscaleTile(input, { data, width, height }, region, upscale);
      putColumns(rows, 4 * width, 4 * region.left, colours, alpha && upscaleAlpha({ alpha, width, height }, region));
    }
    yield rows;
  }
  onProgress(total, total);
}

/** Upscale a tile. Backends fail with their own messages, mostly for lack of memory. */
function upscaleTile(
  input: string,
  source: Picture,
  region: Rectangle,
  upscale: UpscaleFileOptions['upscale'],
): Picture {
  try {
    return upscale(source, region);
  } catch (cause) {
    if (cause instanceof FourfoldError) throw cause;
    throw new FourfoldError(
      'unavailable',
      `${input}: a tile of ${region.width}x${region.height} pixels could not be upscaled`,
      {
        hint: 'if memory ran out, give a smaller --tile',
        cause,
      },
    );
  }
}

/** Copy a tile into its band's rows of `rowPixels` RGB or RGBA pixels, `left` pixels from their beginning. */
function putColumns(rows: Uint8Array, rowPixels: number, left: number, colours: Picture, opacity?: Uint8Array): void {
  const channels = opacity ? 4 : 3;
  for (let y = 0, at = 0; y < colours.height; y++) {
    let to = channels * (y * rowPixels + left);
    for (let x = 0; x < colours.width; x++, at++, to += channels) {
      rows[to] = colours.data[3 * at];
      rows[to + 1] = colours.data[3 * at + 1];
      rows[to + 2] = colours.data[3 * at + 2];
      if (opacity) rows[to + 3] = opacity[at];
    }
  }
}

/** The error for an output that could not be written. */
function writeError(output: string, cause: unknown): FourfoldError {
  // libvips reports it only as text.
  if (!/No space left|File too large/.test(describeError(cause))) return storageError(output, 'written', cause);
  return new FourfoldError('no-space', `${output} could not be written: the disk is full`, {
    hint: 'free some space',
    cause,
  });
}
