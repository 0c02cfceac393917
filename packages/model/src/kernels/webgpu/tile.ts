/*
 * A product of matrices, tile by tile: a workgroup of 8 x 8 threads adds up a tile of the result, each thread 4 x 4 of its elements, from tiles of both
 * factors in the workgroup's memory. Each element is one sum, in the order of the loop.
 */

/** Rows and columns of a tile of the result, and the depth of the factors' tiles. */
export const [tileSide, tileDepth] = [32, 16];

export const tileThreads: [number, number, number] = [8, 8, 1];

/** Elements from one depth to the next in a factor's tile; one more than a row, or threads would wait for the same bank of memory. */
export const tilePitch = tileSide + 1;

/** WGSL: the factors' tiles, `left` and `right`, at depth * pitch + row or column. */
export const tiles = `
  var<workgroup> left: array<f32, ${tileDepth * tilePitch}>;
  var<workgroup> right: array<f32, ${tileDepth * tilePitch}>;`;

/** WGSL: the thread's sums and their place in the tile. */
export const startSums = `
  let tileRow = i32(localId.y) * 4;
  let tileColumn = i32(localId.x) * 4;
  var sums: array<vec4<f32>, 4>;`;

/** WGSL: wait for the factors' tiles, and add their product to the sums. */
export const addProduct = `
  workgroupBarrier();
  for (var depth = 0; depth < ${tileDepth}; depth++) {
    let row = depth * ${tilePitch} + tileRow;
    let column = depth * ${tilePitch} + tileColumn;
    let factor = vec4<f32>(right[column], right[column + 1], right[column + 2], right[column + 3]);
    sums[0] += left[row] * factor;
    sums[1] += left[row + 1] * factor;
    sums[2] += left[row + 2] * factor;
    sums[3] += left[row + 3] * factor;
  }`;
