import { createCanvas, ImageData, type Canvas, type SKRSContext2D } from '@napi-rs/canvas';
import type { Picture, Rectangle } from '@fourfold/data-loader';
import type { Scores } from '@fourfold/worker';
import { fontFamily, registerFonts } from './fonts.js';

/** One way of upscaling a picture, or the original (which has no scores). All are of the original's size. */
export interface ComparisonColumn {
  title: string;
  picture: Picture;
  /** Of the whole picture. */
  scores?: Scores;
}

/** A picture and what came of it; `shown` is the part that is enlarged. */
export interface ComparisonRow {
  name: string;
  original: Picture;
  shown: Rectangle;
  columns: ComparisonColumn[];
}

/** Side of the enlarged part in HR pixels, and how many pixels of the PNG each of these takes. */
export const detailSide = 96;
const enlargement = 3;

const cell = { side: detailSide * enlargement, gap: 10, titleHeight: 40, captionHeight: 54 };
const ink = '#222222';
const faint = '#777777';

/** Rows side by side as a PNG: each picture with the part that is enlarged, then that part in every column. */
export function drawComparison(rows: readonly ComparisonRow[]): Buffer {
  registerFonts();
  const columns = rows[0].columns.length + 1;
  const rowHeight = cell.side + cell.captionHeight;
  const canvas = createCanvas(
    columns * (cell.side + cell.gap) + cell.gap,
    cell.titleHeight + rows.length * rowHeight + cell.gap,
  );
  const context = canvas.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textAlign = 'center';
  const leftOf = (column: number) => cell.gap + column * (cell.side + cell.gap);
  for (const [i, { title }] of rows[0].columns.entries()) {
    write(context, title, leftOf(i + 1), cell.titleHeight - 12, 'bold 18px', ink);
  }
  for (const [i, row] of rows.entries()) {
    const top = cell.titleHeight + i * rowHeight;
    drawOverview(context, row, leftOf(0), top);
    for (const [j, column] of row.columns.entries()) drawDetail(context, column, row.shown, leftOf(j + 1), top);
  }
  return canvas.toBuffer('image/png');
}

/**
 * The part of a picture, `detailSide` pixels a side (or what there is), in which a baseline differs most from the
 * original: where there is something to restore. Places are multiples of 4, so that LR pixels are not cut.
 */
export function richestDetail(original: Picture, baseline: Picture): Rectangle {
  const width = Math.min(detailSide, original.width);
  const height = Math.min(detailSide, original.height);
  const sums = summedDifferences(original, baseline);
  const stride = original.width + 1;
  let best = { left: 0, top: 0, sum: -1 };
  for (let top = 0; top + height <= original.height; top += 4) {
    for (let left = 0; left + width <= original.width; left += 4) {
      const at = (x: number, y: number) => sums[(top + y) * stride + left + x];
      const sum = at(width, height) - at(0, height) - at(width, 0) + at(0, 0);
      if (sum > best.sum) best = { left, top, sum };
    }
  }
  return { left: best.left, top: best.top, width, height };
}

/** For every corner between pixels, the sum of squared differences above and to the left of it. */
function summedDifferences(a: Picture, b: Picture): Float64Array {
  const stride = a.width + 1;
  const sums = new Float64Array(stride * (a.height + 1));
  for (let y = 0; y < a.height; y++) {
    let row = 0;
    for (let x = 0; x < a.width; x++) {
      const at = 3 * (y * a.width + x);
      for (let channel = at; channel < at + 3; channel++) row += (a.data[channel] - b.data[channel]) ** 2;
      sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + row;
    }
  }
  return sums;
}

function drawOverview(
  context: SKRSContext2D,
  { name, original, shown }: ComparisonRow,
  left: number,
  top: number,
): void {
  const scale = cell.side / Math.max(original.width, original.height);
  const x = left + (cell.side - original.width * scale) / 2;
  const y = top + (cell.side - original.height * scale) / 2;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  context.drawImage(toCanvas(original), x, y, original.width * scale, original.height * scale);
  context.strokeStyle = '#ffd400';
  context.lineWidth = 2.5;
  context.strokeRect(x + shown.left * scale, y + shown.top * scale, shown.width * scale, shown.height * scale);
  write(context, name, left, top + cell.side + 22, '16px', ink);
}

function drawDetail(
  context: SKRSContext2D,
  { picture, scores }: ComparisonColumn,
  { left, top, width, height }: Rectangle,
  x: number,
  y: number,
): void {
  context.imageSmoothingEnabled = false;
  const scale = cell.side / detailSide;
  context.drawImage(toCanvas(picture), left, top, width, height, x, y, width * scale, height * scale);
  if (!scores) return;
  write(context, `${scores.psnr.toFixed(2)} dB`, x, y + cell.side + 22, 'bold 16px', ink);
  write(context, `SSIM ${scores.ssim.toFixed(4)}`, x, y + cell.side + 42, '14px', faint);
}

/** Centred in the cell that starts at `left`. */
function write(
  context: SKRSContext2D,
  text: string,
  left: number,
  baseline: number,
  font: string,
  colour: string,
): void {
  context.font = `${font} ${fontFamily}`;
  context.fillStyle = colour;
  context.fillText(text, left + cell.side / 2, baseline);
}

function toCanvas({ data, width, height }: Picture): Canvas {
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    rgba[4 * i + 3] = 255;
  }
  const canvas = createCanvas(width, height);
  canvas.getContext('2d').putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas;
}
