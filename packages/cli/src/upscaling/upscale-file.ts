import { mkdir, rm } from 'node:fs/promises';
import { describeError, FourfoldError } from '@fourfold/common';
import { storageError } from '@fourfold/store';
import type { Picture } from '@fourfold/imaging';
import { resultWithPauses, type Steps } from '../pauses.js';
import { encodePicture, encodingOf } from './encoding.js';
import type { PictureOutput } from './picture-places.js';
import { scaledOpacity, scaledRegion, type UpscaleRegion } from './region.js';
import type { Scale } from './scales.js';
import type { SourcePicture } from './source-picture.js';
import { createSpool } from './spool.js';
import { planBands } from './tiles.js';

export interface UpscaleFileOptions {
  /** The picture's name in errors of the backend. */
  name: string;
  source: SourcePicture;
  output: PictureOutput;
  scale: Scale;
  /** Largest side of a tile in LR pixels. */
  tile: number;
  upscale: UpscaleRegion;
  /** Called with the share of the picture that is done, and the number of its pixels. */
  onProgress: (share: number, pixels: number) => void;
  signal: AbortSignal;
}

/** Sizes in pixels, and what the output does not keep of the input, as text. */
export interface UpscaleReport {
  from: { width: number; height: number };
  to: { width: number; height: number };
  losses: string[];
}

/**
 * Upscale a picture, tile by tile, so that memory holds the input and one band of tiles of the output. Opacity is upscaled
 * by bicubic, and transparent pixels do not affect visible colours; ICC profile, EXIF (with its orientation: the pixels stay as
 * they are stored) and XMP are kept. Throws `invalid` and `not-found` for an unusable output, before any work; `no-space`.
 */
export async function upscaleFile(options: UpscaleFileOptions): Promise<UpscaleReport> {
  const { source, output, scale } = options;
  const { width, height, alpha, grey } = source;
  const to = { width: scale * width, height: scale * height };
  const encoding = encodingOf(output.name, output.format ?? source.format ?? 'png', Math.max(to.width, to.height));
  const channels = alpha ? 4 : 3;
  const writing = <T>(written: Promise<T>): Promise<T> =>
    written.catch((cause: unknown) => {
      throw writeError(output.name, cause);
    });
  try {
    await writing(mkdir(output.intermediates));
    const spool = createSpool(output.intermediates, source.metadataCarrier, { ...to, channels });
    for await (const rows of upscaledBands(options)) await writing(spool.write(rows));
    const picture = await writing(spool.picture());
    const sizeBytes = to.width * to.height * channels;
    await output.write((path) => writing(encodePicture(picture, path, encoding, { grey, sizeBytes })));
  } finally {
    await rm(output.intermediates, { recursive: true, force: true });
  }
  const lostAlpha = alpha && !encoding.hasAlpha ? [`${encoding.name} has no transparency; it is put on white`] : [];
  return { from: { width, height }, to, losses: [...source.losses, ...lostAlpha] };
}

/** The output's rows, a band of tiles at a time. */
async function* upscaledBands(options: UpscaleFileOptions): AsyncGenerator<Uint8Array> {
  const { rgb: data, alpha, width, height } = options.source;
  const { scale, tile, upscale } = options;
  const onProgress = (share: number) => options.onProgress(share, width * height);
  let done = 0;
  onProgress(done);
  for (const band of planBands(width, height, tile)) {
    const rows = new Uint8Array(scale * scale * width * band[0].height * (alpha ? 4 : 3));
    for (const region of band) {
      const share = (region.width * region.height) / (width * height);
      const steps = scaledRegion({ data, width, height }, region, scale, upscale);
      const colours = await runSteps(steps, region, options, (part) => onProgress(done + part * share));
      const opacity = alpha && scaledOpacity({ alpha, width, height }, region, scale);
      putColumns(rows, scale * width, scale * region.left, colours, opacity);
      done += share;
      onProgress(done);
    }
    yield rows;
  }
}

/** Run the steps of a tile. Backends fail with their own messages, mostly for lack of memory. */
async function runSteps(
  steps: Steps<number, Picture>,
  { width, height }: { width: number; height: number },
  { name, signal }: UpscaleFileOptions,
  onProgress: (share: number) => void,
): Promise<Picture> {
  let done = 0;
  try {
    return await resultWithPauses(steps, signal, (pixels) => {
      done += pixels;
      onProgress(Math.min(done / (width * height), 1));
    });
  } catch (cause) {
    if (cause instanceof FourfoldError || signal.aborted) throw cause;
    throw new FourfoldError('unavailable', `${name}: a tile of ${width}x${height} pixels could not be upscaled`, {
      hint: 'if memory ran out, give a smaller --tile',
      cause,
    });
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
