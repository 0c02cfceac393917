import { readFileSync } from 'node:fs';

/** How a crop is turned. */
export interface Orientation {
  /** Mirrored left to right, before the turns. */
  flip: boolean;
  /** Clockwise, 0 to 3. */
  quarterTurns: number;
}

/** A square in rows of 8-bit RGB. */
export interface Square {
  /** Index of its first byte. */
  begin: number;
  /** Bytes from one row to the next. */
  strideBytes: number;
  /** In pixels. */
  side: number;
}

/**
 * Cuts crops and turns them, in WebAssembly: a loop over pixels in JavaScript takes longer than reading them. One call to
 * `rows` and the calls to `cut` that follow it belong together, without an `await` between them.
 */
export interface CropCutter {
  /** Where to put the rows that are cut next. */
  rows(this: void, sizeBytes: number): Uint8Array;
  /** Cut a square from the rows, turn it, and write it to `target`, which has its size. */
  cut(this: void, square: Square, orientation: Orientation, target: Uint8Array): void;
}

interface CropModule {
  memory: WebAssembly.Memory;
  copySquare(source: number, stepX: number, stepY: number, target: number, side: number): void;
}

const pageBytes = 65536;
const pixelBytes = 3;
/** A pixel is read as four bytes. */
const slackBytes = 16;

let cutter: CropCutter | undefined;

/** The cutter of this thread. */
export const cropCutter = (): CropCutter => (cutter ??= createCropCutter());

function createCropCutter(): CropCutter {
  const compiled = new WebAssembly.Module(readFileSync(new URL('../../dist/crop.wasm', import.meta.url)));
  const module = new WebAssembly.Instance(compiled).exports as unknown as CropModule;
  // The module keeps nothing in its memory.
  const base = slackBytes;
  let bytes = new Uint8Array(module.memory.buffer);
  const reserve = (end: number) => {
    const missing = end - bytes.length;
    if (missing <= 0) return;
    module.memory.grow(Math.ceil(missing / pageBytes));
    bytes = new Uint8Array(module.memory.buffer);
  };
  let rowsEnd = base;
  return {
    rows(sizeBytes) {
      rowsEnd = base + sizeBytes;
      reserve(rowsEnd + slackBytes);
      return bytes.subarray(base, rowsEnd);
    },
    cut({ begin, strideBytes, side }, orientation, target) {
      const { first, stepX, stepY } = walk(strideBytes, side, orientation);
      const out = rowsEnd + slackBytes;
      const sizeBytes = side * side * pixelBytes;
      reserve(out + sizeBytes);
      module.copySquare(base + begin + first, stepX, stepY, out, side);
      target.set(bytes.subarray(out, out + sizeBytes));
    },
  };
}

/** The pixel that comes first in the turned square, and the steps in bytes to the next in its row and column. */
function walk(strideBytes: number, side: number, { flip, quarterTurns }: Orientation) {
  const last = side - 1;
  const addressOf = (x: number, y: number) => {
    const fromX = [x, y, last - x, last - y][quarterTurns];
    const fromY = [y, last - x, last - y, x][quarterTurns];
    return fromY * strideBytes + (flip ? last - fromX : fromX) * pixelBytes;
  };
  const first = addressOf(0, 0);
  if (side === 1) return { first, stepX: pixelBytes, stepY: strideBytes };
  return { first, stepX: addressOf(1, 0) - first, stepY: addressOf(0, 1) - first };
}
