/*
 * Collects the photographs that a shipped generator was trained on, from Debian's packages, scaled as it saw them:
 *   node examples/srresnet-mse/collect.mjs out/photographs [LIST]
 * wants apt-get and dpkg-deb. LIST is photographs.csv beside this file unless given.
 */
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { listFile, readList, resourceEntries, withPackages } from './packages.mjs';

const [out, list = listFile] = process.argv.slice(2);
if (!out) throw new Error('usage: node collect.mjs DIR [LIST]');
const photographs = readList(list);
mkdirSync(out, { recursive: true });
if (readdirSync(out).length > 0) throw new Error(`${out} holds something already: name a new or an empty folder`);

/** GCompris's pictures were sharpened, wallpapers are large and soft: both are scaled down, which gives clean detail. */
const gcomprisScale = 0.75;
const maxSide = 1600;

await withPackages(photographs, async (folder) => {
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
});
console.log(`${photographs.length} photographs in ${out}`);

function entryOf(file, entry) {
  const [, content] = resourceEntries(file).find(([path]) => path.endsWith(`/${entry}`)) ?? [];
  if (!content) throw new Error(`${entry} is not in the resource file`);
  return content();
}
