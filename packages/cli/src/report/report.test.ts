import sharp from 'sharp';
import { expect, test } from 'vitest';
import { drawComparison, richestDetail } from './comparison.js';
import { drawCurves } from './curves.js';

const row = (iteration: number, losses: Record<string, number>) => ({ iteration, phase: 0, learningRate: 1, losses });
const history = {
  rows: [row(10, { content: 0.5 }), row(20, { content: 0.1 }), row(25, { content: 0.1, adversarial: 0.7 })],
  evaluations: [
    { iteration: 10, psnr: 20, ssim: 0.5, pictures: [] },
    { iteration: 25, psnr: 25, ssim: 0.6, pictures: [] },
  ],
};
const mse = { kind: 'mse', iterations: 20 } as const;
const gan = { kind: 'gan', iterations: 5 } as const;

/** How many pixels of a part of a PNG are about this colour. */
async function countColour(png: Buffer, top: number, height: number, [red, green, blue]: number[]): Promise<number> {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  let count = 0;
  for (let i = 3 * top * info.width; i < 3 * (top + height) * info.width; i += 3) {
    const distance = Math.abs(data[i] - red) + Math.abs(data[i + 1] - green) + Math.abs(data[i + 2] - blue);
    if (distance < 12) count++;
  }
  return count;
}

test('curves: one panel each for PSNR and content, one for the adversarial losses of a gan phase', async () => {
  const both = drawCurves({ history, phases: [mse, gan], bicubicPsnr: 22 });
  expect(await sharp(both).metadata()).toMatchObject({ format: 'png', width: 1200, height: 1200 });
  const blueLine = [0x1f, 0x6f, 0xb4];
  for (const top of [0, 400, 800]) expect(await countColour(both, top, 400, blueLine)).toBeGreaterThan(50);
  const dashedGrey = [0x77, 0x77, 0x77];
  expect(await countColour(both, 0, 400, dashedGrey)).toBeGreaterThan(1000);
  const ganFill = [0xfb, 0xf1, 0xe6];
  expect(await countColour(both, 0, 400, ganFill)).toBeGreaterThan(5000);

  const alone = drawCurves({ history, phases: [mse], bicubicPsnr: 22 });
  expect(await sharp(alone).metadata()).toMatchObject({ width: 1200, height: 800 });
});

const flat = (width: number, height: number, level: number) => ({
  data: new Uint8Array(3 * width * height).fill(level),
  width,
  height,
});

test('comparison: one row per picture, one column per method, the detail enlarged', async () => {
  const original = flat(200, 120, 90);
  const columns = [
    { title: 'ours', detail: flat(96, 96, 200), scores: { psnr: 25.125, ssim: 0.75 } },
    { title: 'original', detail: flat(96, 96, 90) },
  ];
  const shown = { left: 4, top: 4, width: 96, height: 96 };
  const rows = ['one', 'two'].map((name) => ({ name, original, shown, columns }));
  const png = drawComparison(rows);
  const { format, width, height } = await sharp(png).metadata();
  expect({ format, width, height }).toEqual({ format: 'png', width: 3 * 298 + 10, height: 40 + 2 * 342 + 10 });
  expect(await countColour(png, 0, height, [200, 200, 200])).toBeGreaterThanOrEqual(2 * 288 * 288);
  expect(await countColour(png, 0, height, [90, 90, 90])).toBeGreaterThan(2 * 288 * 288);
  const [titles, captions] = [
    await countColour(png, 0, 40, [34, 34, 34]),
    await countColour(png, 328, 54, [34, 34, 34]),
  ];
  expect(Math.min(titles, captions)).toBeGreaterThan(100);
});

test('the detail is where the baseline is worst, on a multiple of 4', () => {
  const original = flat(400, 300, 100);
  const baseline = flat(400, 300, 100);
  for (let y = 150; y < 160; y++) baseline.data.fill(120, 3 * (y * 400 + 301), 3 * (y * 400 + 311));
  const { left, top, width, height } = richestDetail([original, baseline]);
  expect([width, height, left % 4, top % 4]).toEqual([96, 96, 0, 0]);
  expect(left).toBeLessThanOrEqual(301);
  expect(left + width).toBeGreaterThanOrEqual(311);
  expect(top).toBeLessThanOrEqual(150);
  expect(top + height).toBeGreaterThanOrEqual(160);
});
