/*
 * Cuts the sharp and detailed places of photographs that `collect.mjs` has collected, as srgan was trained on them:
 *   node examples/srgan/tiles.mjs out/photographs out/tiles
 * Each photograph is scaled down first by the `scale` of tiles.csv: by so much that its amplitudes fall no faster towards high frequencies than
 * those of a sharp picture. What a photograph does not show at full resolution, no generator can learn from it.
 */
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

const [photographs, out] = process.argv.slice(2);
if (!out) throw new Error('usage: node tiles.mjs PHOTOGRAPHS DIR');
mkdirSync(out, { recursive: true });
if (readdirSync(out).length > 0) throw new Error(`${out} holds something already: name a new or an empty folder`);

const side = 192;
/** Of one photograph, so that none outweighs the others. */
const mostTiles = 24;
/** The least mean of the Laplacian's absolute value; sky and blurred backgrounds are below. */
const leastDetail = 8;
/** Of the Laplacian at a pixel: a few hard edges do not make a tile detailed. */
const highestEdge = 60;

const rows = readFileSync(new URL('tiles.csv', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .slice(1);
let count = 0;
for (const row of rows) {
  const [name, , , , scale] = row.split(',');
  const tiles = await tilesOf(await scaled(join(photographs, `${name}.png`), Number(scale)));
  tiles.sort((a, b) => b.detail - a.detail);
  for (const { top, left, picture } of tiles.slice(0, mostTiles)) {
    await picture.png().toFile(join(out, `${name}-${top}-${left}.png`));
    count++;
  }
}
console.log(`${count} tiles in ${out}`);

async function scaled(file, scale) {
  const { width, height } = await sharp(file).metadata();
  return sharp(file)
    .removeAlpha()
    .resize(rounded(width * scale), rounded(height * scale), { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer({ resolveWithObject: true });
}

/** Halves down, as the tiles were cut that srgan was trained on. */
function rounded(size) {
  return Math.ceil(size - 0.5);
}

/** Tiles that cover the picture and have enough detail. */
async function tilesOf({ data, info }) {
  const tiles = [];
  for (const top of starts(info.height)) {
    for (const left of starts(info.width)) {
      const picture = sharp(data, { raw: info }).extract({ left, top, width: side, height: side });
      const detail = detailOf(await picture.clone().greyscale().raw().toBuffer());
      if (detail > leastDetail) tiles.push({ top, left, picture, detail });
    }
  }
  return tiles;
}

function starts(length) {
  const count = Math.ceil(length / side);
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - side)) / Math.max(1, count - 1)));
}

function detailOf(grey) {
  let sum = 0;
  for (let y = 1; y < side - 1; y++) {
    for (let at = y * side + 1; at < (y + 1) * side - 1; at++) {
      const laplacian = 4 * grey[at] - grey[at - 1] - grey[at + 1] - grey[at - side] - grey[at + side];
      sum += Math.min(highestEdge, Math.abs(laplacian));
    }
  }
  return sum / (side - 2) ** 2;
}
