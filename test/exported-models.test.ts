import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint, readGenerator } from '@fourfold/store';
import { createUpscaler, selectBackend } from '@fourfold/model';
import { findBrowser } from '@fourfold/local-servers';
import { encodeGraphModel, encodeOnnxGenerator, upscalerModel } from '@fourfold/model/export';
import { openBrowser } from './support/browser.js';
import { photographs } from './support/process.js';
import { hasRuntimes, serveModel, upscaleInNode, type Pixels } from './support/runtimes.js';
import { lacks } from './support/needs.mjs';

/*
 * The shipped generator in the formats of `fourfold export`, run by its users' programs: within a grey level of our own, with zeros
 * around the picture, on photographs of odd sizes. The command itself is tested in packages/cli, with Python, too.
 */

const checkpoint = fileURLToPath(new URL('../examples/srresnet-mse/checkpoint', import.meta.url));
const [onnxFile, definitionFile] = ['generator.onnx', 'upscaler-model.js'];
/** Small: plain TensorFlow.js takes ten milliseconds for a pixel. */
const crops = [
  { photograph: 'coffee.png', width: 11, height: 7 },
  { photograph: 'raccoon.jpg', width: 5, height: 13 },
  { photograph: 'hedgehog.jpg', width: 9, height: 9 },
];

const pixelsOf = async (picture: Sharp): Promise<Pixels> => {
  const { data, info } = await picture.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height };
};

function largestDifference(actual: Pixels, expected: Pixels): number {
  expect([actual.width, actual.height]).toEqual([expected.width, expected.height]);
  expect(actual.data.length).toBe(expected.data.length);
  return actual.data.reduce((largest, level, i) => Math.max(largest, Math.abs(level - expected.data[i])), 0);
}

describe.skipIf(lacks('runtimes', hasRuntimes))('exported models (after npm run setup:runtimes)', () => {
  let folder: string;
  let pictures: Pixels[];
  let expected: Pixels[];
  const lrFile = (i: number) => `lr-${i}.png`;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-exported-'));
    pictures = await Promise.all(
      crops.map(async ({ photograph, ...size }, i) => {
        const small = sharp(join(photographs, 'held-out', photograph)).resize({ width: 200 });
        const crop = sharp(await small.extract({ left: 51, top: 33, ...size }).toBuffer());
        await crop.png().toFile(join(folder, lrFile(i)));
        return pixelsOf(crop);
      }),
    );
    const weights = await readGenerator(await openCheckpoint(checkpoint, () => undefined));
    const files = {
      [onnxFile]: encodeOnnxGenerator(weights, 'uint8', {}),
      ...encodeGraphModel(weights, {}),
      [definitionFile]: await upscalerModel(),
    };
    for (const [name, body] of Object.entries(files)) await writeFile(join(folder, name), body);
    await selectBackend({ backend: 'wasm', device: 'auto', precision: 'f32', threads: 1 });
    const { upscale } = createUpscaler(weights, 'zeros');
    expected = [];
    for (const picture of pictures) expected.push(await upscale(picture, 64));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function expectEqual(actual: Pixels[]): void {
    expect(actual).toHaveLength(expected.length);
    for (const [i, picture] of actual.entries()) {
      expect(largestDifference(picture, expected[i]), crops[i].photograph).toBeLessThanOrEqual(1);
    }
  }

  test('ONNX in onnxruntime-node', async () => {
    expectEqual(await upscaleInNode('onnxruntime-node', join(folder, onnxFile), pictures));
  });

  test('the GraphModel in plain TensorFlow.js, by URL', async () => {
    const { url, close } = await serveModel(folder);
    try {
      expectEqual(await upscaleInNode('@tensorflow/tfjs', `${url}model.json`, pictures));
    } finally {
      await close();
    }
  });

  test.skipIf(lacks('browser', !!findBrowser()))('the GraphModel in UpscalerJS, in a browser', async () => {
    const { url, close } = await serveModel(folder);
    const browser = await openBrowser();
    try {
      await browser.page.goto(url);
      const urls = pictures.map((_, i) => lrFile(i));
      const upscaled = await browser.page.evaluate<string[]>(`upscaleAll(${JSON.stringify(urls)})`);
      expectEqual(await Promise.all(upscaled.map((src) => pixelsOf(sharp(Buffer.from(src.split(',')[1], 'base64'))))));
    } finally {
      await browser.close();
      await close();
    }
  });
});
