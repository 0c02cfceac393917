/*
 * Collects the photographs that the shipped generator was trained on, from Debian's packages, scaled as it saw them:
 *   node examples/srresnet-mse/collect.mjs out/photographs
 * wants apt-get and dpkg-deb. photographs.csv lists them.
 */
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { inflateSync } from 'node:zlib';
import sharp from 'sharp';

const out = process.argv[2];
if (!out) throw new Error('usage: node collect.mjs DIR');
mkdirSync(out, { recursive: true });
const [, ...rows] = readFileSync(new URL('photographs.csv', import.meta.url), 'utf8')
  .trim()
  .split('\n');
const photographs = rows.map((row) => {
  const [name, source, path, entry] = row.split(',');
  return { name, source, path, entry };
});

/** GCompris's pictures were sharpened, wallpapers are large and soft: both are scaled down, which gives clean detail. */
const gcomprisScale = 0.75;
const maxSide = 1600;

const folder = mkdtempSync(join(tmpdir(), 'photographs-'));
try {
  for (const source of new Set(photographs.map(({ source }) => source))) {
    console.log(`${source} ...`);
    execFileSync('apt-get', ['download', source], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    const archive = readdirSync(folder).find((file) => file.startsWith(`${source}_`));
    execFileSync('dpkg-deb', ['-x', archive, source], { cwd: folder });
  }
  for (const { name, source, path, entry } of photographs) {
    const file = readFileSync(join(folder, source, path));
    const picture = sharp(entry ? entryOf(file, entry) : file).removeAlpha();
    const { width, height } = await picture.metadata();
    const scale = entry ? gcomprisScale : Math.min(1, maxSide / Math.max(width, height));
    await picture
      .resize(Math.round(width * scale), Math.round(height * scale), { fit: 'fill', kernel: 'lanczos3' })
      .toColourspace('srgb')
      .png()
      .toFile(join(out, `${name}.png`));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${photographs.length} photographs in ${out}`);

/** The entry of that name in a Qt resource file: https://doc.qt.io/qt-6/resources.html, the format in Qt's qresource.cpp. */
function entryOf(bytes, wanted) {
  const [version, tree, data, names] = [4, 8, 12, 16].map((at) => bytes.readUInt32BE(at));
  const nodeBytes = version >= 2 ? 22 : 14;
  const flagDirectory = 2;
  const flagZlib = 1;
  const nameOf = (node) => {
    const at = names + bytes.readUInt32BE(node);
    const text = Buffer.from(bytes.subarray(at + 6, at + 6 + 2 * bytes.readUInt16BE(at)));
    return text.swap16().toString('utf16le');
  };
  const find = (node, prefix) => {
    const flags = bytes.readUInt16BE(node + 4);
    const path = node === tree ? '' : `${prefix}/${nameOf(node)}`;
    if (!(flags & flagDirectory)) {
      if (!path.endsWith(`/${wanted}`)) return undefined;
      const at = data + bytes.readUInt32BE(node + 10);
      const content = bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at));
      return flags & flagZlib ? inflateSync(content.subarray(4)) : content;
    }
    const [count, first] = [bytes.readUInt32BE(node + 6), bytes.readUInt32BE(node + 10)];
    for (let child = first; child < first + count; child++) {
      const found = find(tree + child * nodeBytes, path);
      if (found) return found;
    }
    return undefined;
  };
  const found = find(tree, '');
  if (!found) throw new Error(`${basename(wanted)} is not in the resource file`);
  return found;
}
