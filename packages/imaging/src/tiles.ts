import type { Rectangle } from './picture.js';

/** Pixels of its neighbours that a tile carries around its core: what bicubic by 1/4 reads, rounded up to LR pixels. */
export const tileMargin = 8;

/** A tile of a picture: what is stored, and the part of it that crops are taken from. */
export interface Tile {
  /** In the picture. */
  place: Rectangle;
  /** In the tile. */
  core: Rectangle;
}

/** The smallest tile size whose cores are never narrower than `minimumSide`. */
export const smallestTile = (minimumSide: number): number => 2 * (4 * Math.ceil(minimumSide / 4) + 4);

/**
 * Cut a picture into the fewest tiles of about equal size whose cores are `tile` pixels a side at most (the last of a row
 * or column up to 3 more) and cover the picture once. Cores and stored tiles start at multiples of 4; each tile carries
 * `tileMargin` pixels of its neighbours, none where the picture ends.
 */
export function cutTiles(width: number, height: number, tile: number): Tile[] {
  const columns = cutSide(width, tile);
  return cutSide(height, tile).flatMap((row) =>
    columns.map((column) => ({
      place: { left: column.start, top: row.start, width: column.size, height: row.size },
      core: { left: column.before, top: row.before, width: column.core, height: row.core },
    })),
  );
}

interface Span {
  start: number;
  size: number;
  /** Margin before the core. */
  before: number;
  core: number;
}

/** Core i starts at i/count of the side, rounded down to a multiple of 4: each is wider than side / count - 4. */
function cutSide(side: number, tile: number): Span[] {
  const count = Math.ceil(side / tile);
  const border = (i: number) => (i === count ? side : 4 * Math.floor((i * side) / count / 4));
  return Array.from({ length: count }, (_, i) => {
    const start = Math.max(0, border(i) - tileMargin);
    const end = Math.min(side, border(i + 1) + tileMargin);
    return { start, size: end - start, before: border(i) - start, core: border(i + 1) - border(i) };
  });
}
