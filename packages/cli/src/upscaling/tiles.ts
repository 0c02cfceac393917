import type { Rectangle } from '@fourfold/imaging';

/** A part of an LR picture, in LR pixels. */
export interface Tile {
  /** What the tile contributes; cores do not overlap and cover the picture. */
  core: Rectangle;
  /** What the generator must see for that: the core and the margin around it, as far as the picture goes. */
  read: Rectangle;
}

/** LR pixels a side that are computed at a time by default; at paper size this takes about 1 GB. */
export const defaultTile = 128;

/** Tiles whose cores are at most `tile` pixels a side, in bands from the top, each from the left. */
export function planBands(width: number, height: number, tile: number, margin: number): Tile[][] {
  return spans(height, tile, margin).map((down) =>
    spans(width, tile, margin).map((across) => ({
      core: { left: across.begin, top: down.begin, width: across.size, height: down.size },
      read: { left: across.readBegin, top: down.readBegin, width: across.readSize, height: down.readSize },
    })),
  );
}

/** Cut `length` into nearly equal parts of at most `largest`. */
function spans(length: number, largest: number, margin: number) {
  const count = Math.ceil(length / largest);
  return Array.from({ length: count }, (_, i) => {
    const begin = Math.floor((i * length) / count);
    const end = Math.floor(((i + 1) * length) / count);
    const readBegin = Math.max(0, begin - margin);
    const readEnd = Math.min(length, end + margin);
    return { begin, size: end - begin, readBegin, readSize: readEnd - readBegin };
  });
}

/** Copy a region of pixels of `channels` bytes each out of rows of `width` pixels. */
export function cropPixels(data: Uint8Array, width: number, channels: number, region: Rectangle): Uint8Array {
  const rowBytes = region.width * channels;
  const out = new Uint8Array(region.height * rowBytes);
  for (let y = 0; y < region.height; y++) {
    const start = ((region.top + y) * width + region.left) * channels;
    out.set(data.subarray(start, start + rowBytes), y * rowBytes);
  }
  return out;
}
