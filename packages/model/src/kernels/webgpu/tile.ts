/*
 * A product of matrices, tile by tile: a workgroup of 64 threads adds up a tile of the result, each thread 4 x 4 of its elements, from tiles of both
 * factors in the workgroup's memory. Each element is one sum, in the order of the loop.
 */

/** A shape of tiles, with WGSL for it. */
export interface Tile {
  name: string;
  /** Rows and columns of a tile of the result, and the depth of the factors' tiles. */
  rows: number;
  columns: number;
  depth: number;
  workgroupSize: [x: number, y: number, z: number];
  /** Elements from one depth to the next in the tile of a factor; one more than it needs, or threads would wait for the same bank of memory. */
  leftPitch: number;
  rightPitch: number;
  /** The factors' tiles, `left` and `right`, at depth * pitch + row or column. */
  factors: string;
  /** The thread's sums and their place in the tile. */
  startSums: string;
  /** Wait for the factors' tiles, and add their product to the sums. */
  addProduct: string;
}

/** Threads of a workgroup. */
export const threads = 64;

function createTile(name: string, threadsAcross: number, depth: number): Tile {
  const threadsDown = threads / threadsAcross;
  const [rows, columns] = [4 * threadsDown, 4 * threadsAcross];
  const [leftPitch, rightPitch] = [rows + 1, columns + 1];
  return {
    ...{ name, rows, columns, depth, leftPitch, rightPitch },
    workgroupSize: [threadsAcross, threadsDown, 1],
    factors: `
      var<workgroup> left: array<f32, ${depth * leftPitch}>;
      var<workgroup> right: array<f32, ${depth * rightPitch}>;`,
    startSums: `
      let tileRow = i32(localId.y) * 4;
      let tileColumn = i32(localId.x) * 4;
      var sums: array<vec4<f32>, 4>;`,
    addProduct: `
      workgroupBarrier();
      for (var depth = 0; depth < ${depth}; depth++) {
        let row = depth * ${leftPitch} + tileRow;
        let column = depth * ${rightPitch} + tileColumn;
        let factor = vec4<f32>(right[column], right[column + 1], right[column + 2], right[column + 3]);
        sums[0] += left[row] * factor;
        sums[1] += left[row + 1] * factor;
        sums[2] += left[row + 2] * factor;
        sums[3] += left[row + 3] * factor;
      }`,
  };
}

/** Whose rows are as many as its columns. */
export const square = createTile('square', 8, 16);
/** For the three colours of a pixel, which would leave most of a square empty. */
const narrow = createTile('narrow', 1, 8);

/** Workgroups of a dimension, at the most. */
const mostWorkgroups = 65_535;

/** Workgroups along x and z for so many tiles: workgroup (x, z) has tile z * (workgroups along x) + x, if there is such a one. */
export function spread(tiles: number): [x: number, z: number] {
  const z = Math.ceil(tiles / mostWorkgroups);
  return [Math.ceil(tiles / z), z];
}

/** The shape for a result with so many columns. */
export const tileFor = (columns: number): Tile => (columns > narrow.columns ? square : narrow);
