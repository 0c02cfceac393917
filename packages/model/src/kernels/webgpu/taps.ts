/*
 * What the taps of one row of a filter see of a picture is a run of elements that lie one after the other in one of its lines: pixels and their
 * channels. A run that begins or ends outside the picture sees zeros there.
 */

/** Zeros of padding 'same' above or left of a picture. */
export const paddingBefore = (size: number, outSize: number, side: number, stride: number): number =>
  Math.floor(Math.max((outSize - 1) * stride + side - size, 0) / 2);

/**
 * WGSL: the runs of a workgroup's pixels, by place: where in the pictures each begins, and which part of it is inside. `findRun` finds one of them by
 * the pixel of the result, with the uniforms `height`, `width`, `inputs`, `outHeight`, `outWidth`, `pixels`, `side`, `stride`, `top` and `left`.
 */
export const runsOf = (places: number): string => `
  ${runs(places)}

  fn findRun(place: i32, pixel: i32, filterRow: i32) {
    let row = pixel / uniforms.outWidth % uniforms.outHeight * uniforms.stride - uniforms.top + filterRow;
    let column = pixel % uniforms.outWidth * uniforms.stride - uniforms.left;
    let picture = pixel / (uniforms.outWidth * uniforms.outHeight);
    let isInside = pixel < uniforms.pixels && row >= 0 && row < uniforms.height;
    begins[place] = ((picture * uniforms.height + row) * uniforms.width + column) * uniforms.inputs;
    firsts[place] = max(-column, 0) * uniforms.inputs;
    ends[place] = select(0, min(uniforms.side, uniforms.width - column) * uniforms.inputs, isInside);
  }`;

/** WGSL: room for the runs. */
export const runs = (places: number): string => `
  var<workgroup> begins: array<i32, ${places}>;
  var<workgroup> firsts: array<i32, ${places}>;
  var<workgroup> ends: array<i32, ${places}>;`;
