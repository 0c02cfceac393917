import type { Rectangle } from '@fourfold/imaging';

/** LR pixels a side that are computed at a time by default; at paper size the process then takes about 0.5 GB. */
export const defaultTile = 256;

/** Regions of at most `tile` pixels a side that cover a picture, in bands from the top, each from the left. */
export function planBands(width: number, height: number, tile: number): Rectangle[][] {
  return spans(height, tile).map(([top, height]) =>
    spans(width, tile).map(([left, width]) => ({ left, top, width, height })),
  );
}

/** Cut `length` into nearly equal parts of at most `largest`, each by its beginning and size. */
function spans(length: number, largest: number): [begin: number, size: number][] {
  const count = Math.ceil(length / largest);
  return Array.from({ length: count }, (_, i) => {
    const begin = Math.floor((i * length) / count);
    return [begin, Math.floor(((i + 1) * length) / count) - begin];
  });
}
