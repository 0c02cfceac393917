// `fourfold upscale`, to a result of 6000x4000 pixels, then of a picture of that size.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { expect, folder, fourfold, inProject, report, seconds, skip, small } from './step.mjs';

const sharp = load();
const [width, height] = small ? [60, 40] : [1500, 1000];
const photograph = inProject('packages/cli/dist/assets/photographs/train/chelsea.png');
const endMs = performance.now() + seconds * 1000;

for (const scale of small ? [1] : [1, 4]) {
  const input = join(folder, `small-${scale}.jpg`);
  const output = join(folder, `large-${scale}.jpg`);
  await sharp(photograph)
    .resize(width * scale, height * scale, { fit: 'fill' })
    .jpeg()
    .toFile(input);
  const startMs = performance.now();
  await fourfold(['upscale', input, output, '--backend', 'torch'], { timeoutMs: endMs - startMs });
  const { width: wide, height: high } = await sharp(output, { limitInputPixels: false }).metadata();
  const { channels } = await sharp(output, { limitInputPixels: false }).resize(150, 100, { fit: 'fill' }).stats();
  const expected = await sharp(input).resize(150, 100, { fit: 'fill' }).stats();
  const off = Math.max(...channels.map(({ mean }, i) => Math.abs(mean - expected.channels[i].mean)));
  report({ pixels: `${wide}x${high}`, seconds: (performance.now() - startMs) / 1000, meanOffBy: off });
  expect(
    wide === 4 * width * scale && high === 4 * height * scale && off < 2,
    'the result is not the picture, four times as large',
  );
}
expect(existsSync(join(folder, 'large-1.jpg')), 'no result');

function load() {
  try {
    return createRequire(import.meta.url)('sharp');
  } catch (error) {
    return skip(`sharp does not load: ${error.message.split('\n')[0]}`);
  }
}
