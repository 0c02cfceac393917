import { readFileSync } from 'node:fs';
import type { Contributions } from './contributions.js';
import type { Picture } from './picture.js';

/*
 * The weights of bicubic interpolation by 1/4, 1/2, 2 or 4 are whole numbers of 2^-12 or more. Sums of such weights times 8-bit values are
 * exact, in integers as in double precision: the bits are the same. A WebAssembly module computes them in a tenth of the time.
 */

/** Contributions whose weights are whole numbers of 2^-14. */
export interface WholeContributions {
  taps: number;
  indices: Int32Array;
  weights: Int16Array;
}

const one = 2 ** 14;

/** The same contributions in integers; undefined if their weights are not whole numbers of 2^-14. */
export function wholeWeights({ taps, indices, weights }: Contributions): WholeContributions | undefined {
  const whole = new Int16Array(weights.length);
  for (let i = 0; i < weights.length; i++) {
    whole[i] = weights[i] * one;
    if (whole[i] !== weights[i] * one) return undefined;
  }
  return { taps, indices, weights: whole };
}

interface ResizeModule {
  memory: WebAssembly.Memory;
  resizeRows(
    source: number,
    strideBytes: number,
    target: number,
    height: number,
    indices: number,
    weights: number,
    taps: number,
  ): void;
  resizeColumns(
    source: number,
    strideBytes: number,
    target: number,
    width: number,
    height: number,
    indices: number,
    weights: number,
    taps: number,
    scratch: number,
  ): void;
}

const pageBytes = 65536;
const pixelBytes = 3;
/** The module may touch this much after a source or a target. */
const slackBytes = 16;
/** Source rows that are copied into the module's memory at a time: they stay in the processor's cache. */
const bandBytes = 2 ** 20;

let ownModule: ResizeModule | undefined;

/** The module of this thread; it keeps nothing in its memory. */
const resizeModule = (): ResizeModule =>
  (ownModule ??= new WebAssembly.Instance(
    new WebAssembly.Module(readFileSync(new URL('../dist/resize.wasm', import.meta.url))),
  ).exports as unknown as ResizeModule);

/** Resize rows first, then columns, each rounded to uint8. */
export function resizeWhole(picture: Picture, down: WholeContributions, across: WholeContributions): Picture {
  const width = across.weights.length / across.taps;
  const height = down.weights.length / down.taps;
  const data = new Uint8Array(width * height * pixelBytes);
  const rowsPerBand = Math.max(1, Math.floor((bandBytes * height) / picture.data.length));
  for (let top = 0; top < height; top += rowsPerBand) {
    const taps = [top * down.taps, Math.min(height, top + rowsPerBand) * down.taps] as const;
    const band = { ...down, indices: down.indices.subarray(...taps), weights: down.weights.subarray(...taps) };
    data.set(resizeBand(picture, band, across), top * width * pixelBytes);
  }
  return { data, width, height };
}

/** Some rows of the result, in the module's memory: they must be copied before it is used again. */
function resizeBand(picture: Picture, down: WholeContributions, across: WholeContributions): Uint8Array {
  const first = down.indices.reduce((least, index) => Math.min(least, index));
  const end = 1 + down.indices.reduce((most, index) => Math.max(most, index));
  const strideBytes = picture.width * pixelBytes;
  const source = picture.data.subarray(first * strideBytes, end * strideBytes);
  const height = down.weights.length / down.taps;
  const width = across.weights.length / across.taps;
  const place = layout([
    source.length,
    height * strideBytes,
    width * height * pixelBytes,
    4 * (down.indices.length + across.indices.length),
    2 * (down.weights.length + across.weights.length),
    0,
  ]);
  const module = resizeModule();
  const { memory } = module;
  const missing = place.end - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
  const [sourceAt, rowsAt, targetAt, indicesAt, weightsAt, scratchAt] = place.addresses;
  const acrossIndicesAt = indicesAt + 4 * down.indices.length;
  const acrossWeightsAt = weightsAt + 2 * down.weights.length;
  new Uint8Array(memory.buffer).set(source, sourceAt);
  const indices = new Int32Array(memory.buffer, indicesAt);
  for (let i = 0; i < down.indices.length; i++) indices[i] = down.indices[i] - first;
  indices.set(across.indices, down.indices.length);
  new Int16Array(memory.buffer, weightsAt).set(down.weights);
  new Int16Array(memory.buffer, acrossWeightsAt).set(across.weights);
  module.resizeRows(sourceAt, strideBytes, rowsAt, height, indicesAt, weightsAt, down.taps);
  module.resizeColumns(
    rowsAt,
    strideBytes,
    targetAt,
    width,
    height,
    acrossIndicesAt,
    acrossWeightsAt,
    across.taps,
    scratchAt,
  );
  return new Uint8Array(memory.buffer, targetAt, width * height * pixelBytes);
}

/** Addresses of blocks of these sizes, with slack after each. */
function layout(sizes: readonly number[]): { addresses: number[]; end: number } {
  let end = slackBytes;
  const addresses = sizes.map((sizeBytes) => {
    const begin = end;
    end = slackBytes * Math.ceil((begin + sizeBytes + slackBytes) / slackBytes);
    return begin;
  });
  return { addresses, end };
}
