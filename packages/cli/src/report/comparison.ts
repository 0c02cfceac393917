import { createCanvas, ImageData, type Canvas, type SKRSContext2D } from '@napi-rs/canvas';
import type { Picture, Rectangle, Scores } from '@fourfold/imaging';
import { fontFamily, registerFonts } from './fonts.js';

/** One way of upscaling a picture, or the original (which has no scores). */
export interface ComparisonColumn {
  title: string;
  /** The part that is enlarged; of one size throughout a row. */
  detail: Picture;
  /** Of the whole picture. */
  scores?: Scores;
}

/** A picture and its versions; `shown` is where the details are in it. */
export interface ComparisonRow {
  name: string;
  /** A second line under the name, below the picture. */
  note?: string;
  original: Picture;
  shown: Rectangle;
  columns: ComparisonColumn[];
}

/** Default side of the enlarged part in HR pixels. */
const detailSide = 96;
/** Approximate sides of the cells in pixels of the PNG: an HR pixel is a whole number of them. */
const cellSide = 288;

const space = { gap: 10, titleHeight: 40, captionHeight: 54 };
const ink = '#222222';
const faint = '#777777';

/** Where things lie: a cell's size, and how many pixels of the PNG an HR pixel takes. */
interface Grid {
  width: number;
  height: number;
  enlargement: number;
}

/** Rows side by side as a PNG: each picture with the part that is enlarged, then that part in every column. */
export function drawComparison(rows: readonly ComparisonRow[]): Buffer {
  registerFonts();
  const grid = gridOf(rows);
  const columns = rows[0].columns.length + 1;
  const rowHeight = grid.height + space.captionHeight;
  const canvas = createCanvas(
    columns * (grid.width + space.gap) + space.gap,
    space.titleHeight + rows.length * rowHeight + space.gap,
  );
  const context = canvas.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textAlign = 'center';
  const leftOf = (column: number) => space.gap + column * (grid.width + space.gap);
  const titles = ['', ...rows[0].columns.map(({ title }) => title)];
  for (const [i, title] of titles.entries()) {
    write(context, grid, title, [leftOf(i), space.titleHeight - 12], { font: 'bold 18px', colour: ink });
  }
  for (const [i, row] of rows.entries()) {
    const top = space.titleHeight + i * rowHeight;
    drawOverview(context, grid, row, leftOf(0), top);
    for (const [j, column] of row.columns.entries()) drawDetail(context, grid, column, leftOf(j + 1), top);
  }
  return canvas.toBuffer('image/png');
}

function gridOf(rows: readonly ComparisonRow[]): Grid {
  const width = Math.max(...rows.map(({ shown }) => shown.width));
  const height = Math.max(...rows.map(({ shown }) => shown.height));
  const enlargement = Math.max(1, Math.round(cellSide / Math.max(width, height)));
  return { width: width * enlargement, height: height * enlargement, enlargement };
}

/**
 * The part of pictures of one size, `detailSide` pixels a side (or what there is), in which they differ most from each other;
 * the first of equal ones. Places are multiples of 4, so that LR pixels are not cut.
 */
export function richestDetail(pictures: readonly Picture[]): Rectangle {
  const [{ width: wholeWidth, height: wholeHeight }] = pictures;
  const width = Math.min(detailSide, wholeWidth);
  const height = Math.min(detailSide, wholeHeight);
  const sums = summedDifferences(pictures);
  const stride = wholeWidth + 1;
  let best = { left: 0, top: 0, sum: -1 };
  for (let top = 0; top + height <= wholeHeight; top += 4) {
    for (let left = 0; left + width <= wholeWidth; left += 4) {
      const at = (x: number, y: number) => sums[(top + y) * stride + left + x];
      const sum = at(width, height) - at(0, height) - at(width, 0) + at(0, 0);
      if (sum > best.sum) best = { left, top, sum };
    }
  }
  return { left: best.left, top: best.top, width, height };
}

/**
 * For every corner between pixels, the sum of the squared differences of all pairs of pictures above and to the left of it.
 * Sums are whole numbers, so that equal parts have equal sums.
 */
function summedDifferences(pictures: readonly Picture[]): Float64Array {
  const [{ width, height }] = pictures;
  const stride = width + 1;
  const sums = new Float64Array(stride * (height + 1));
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      for (let channel = at; channel < at + 3; channel++) {
        let [sum, squares] = [0, 0];
        for (const { data } of pictures) {
          sum += data[channel];
          squares += data[channel] ** 2;
        }
        row += pictures.length * squares - sum ** 2;
      }
      sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + row;
    }
  }
  return sums;
}

function drawOverview(
  context: SKRSContext2D,
  grid: Grid,
  { name, note, original, shown }: ComparisonRow,
  left: number,
  top: number,
): void {
  const scale = Math.min(grid.width / original.width, grid.height / original.height);
  const x = left + (grid.width - original.width * scale) / 2;
  const y = top + (grid.height - original.height * scale) / 2;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  context.drawImage(toCanvas(original), x, y, original.width * scale, original.height * scale);
  context.strokeStyle = '#ffd400';
  context.lineWidth = 2.5;
  context.strokeRect(x + shown.left * scale, y + shown.top * scale, shown.width * scale, shown.height * scale);
  const below = y + original.height * scale;
  write(context, grid, name, [left, below + 22], { font: '16px', colour: ink });
  if (note) write(context, grid, note, [left, below + 42], { font: '14px', colour: faint });
}

function drawDetail(
  context: SKRSContext2D,
  grid: Grid,
  { detail, scores }: ComparisonColumn,
  left: number,
  top: number,
): void {
  context.imageSmoothingEnabled = false;
  const width = detail.width * grid.enlargement;
  const height = detail.height * grid.enlargement;
  const x = left + Math.floor((grid.width - width) / 2);
  const y = top + Math.floor((grid.height - height) / 2);
  context.drawImage(toCanvas(detail), x, y, width, height);
  if (!scores) return;
  write(context, grid, `${scores.psnr.toFixed(2)} dB`, [left, top + grid.height + 22], {
    font: 'bold 16px',
    colour: ink,
  });
  const lpips = scores.lpips === undefined ? '' : `, LPIPS ${scores.lpips.toFixed(4)}`;
  write(context, grid, `SSIM ${scores.ssim.toFixed(4)}${lpips}`, [left, top + grid.height + 42], {
    font: '14px',
    colour: faint,
  });
}

/** Centred in the cell that starts at `left`; text longer than the cell is condensed. */
function write(
  context: SKRSContext2D,
  { width }: Grid,
  text: string,
  [left, baseline]: [left: number, baseline: number],
  { font, colour }: { font: string; colour: string },
): void {
  context.font = `${font} ${fontFamily}`;
  context.fillStyle = colour;
  context.fillText(text, left + width / 2, baseline, width);
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
