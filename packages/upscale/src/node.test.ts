import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decodePicture } from '@fourfold/imaging';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodePicture, readModel, writePicture, type Model, type ModelSource } from './index.js';
import { checkpointBytes, config, exportedBytes } from './test-model.js';

let folder: string;
let model: Model;
/** More than one tile of 16. */
const pixels = { data: Uint8Array.from({ length: 3 * 40 * 20 }, (_, i) => (i * 37) % 256), width: 40, height: 20 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-upscale-'));
  model = await readModel(checkpointBytes, { backend: 'wasm', threads: 1 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('pixels, a file, its bytes and a Blob give the same picture', async () => {
  expect(model).toMatchObject({ scale: 4, ...config, backend: 'wasm' });
  const expected = await model.upscale(pixels);
  expect([expected.width, expected.height, expected.data.length]).toEqual([160, 80, 3 * 160 * 80]);
  const file = join(folder, 'small.png');
  await writePicture(file, pixels);
  const bytes = await readFile(file);
  const clamped = { ...pixels, data: new Uint8ClampedArray(pixels.data) };
  for (const source of [file, pathToFileURL(file), new Uint8Array(bytes), bytes, new Blob([bytes]), clamped]) {
    expect(await model.upscale(source)).toEqual(expected);
  }
});

test('a model is read from a file, an exported folder and bytes', async () => {
  const expected = await model.upscale(pixels);
  const exported = join(folder, 'exported');
  await mkdir(exported);
  await writeFile(join(exported, 'generator.safetensors'), exportedBytes);
  await writeFile(join(exported, 'generator.py'), '');
  await cp(join(exported, 'generator.safetensors'), join(folder, 'model.safetensors'));
  const sources: ModelSource[] = [exported, join(folder, 'model.safetensors'), pathToFileURL(exported), exportedBytes];
  for (const source of sources) {
    const again = await readModel(source);
    expect(await again.upscale(pixels)).toEqual(expected);
    again.dispose();
    await expect(again.upscale(pixels)).rejects.toThrow('disposed');
  }
});

test('progress grows to 1; an aborted picture leaves the model usable', async () => {
  // Large enough for pauses.
  const large = { data: new Uint8Array(3 * 300 * 200), width: 300, height: 200 };
  const shares: number[] = [];
  await model.upscale(large, { tile: 64, onProgress: (share) => shares.push(share) });
  expect(shares.at(-1)).toBe(1);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  const stopping = new AbortController();
  const stopped = model.upscale(large, {
    tile: 64,
    signal: stopping.signal,
    onProgress: () => stopping.abort(new Error('enough')),
  });
  const next = model.upscale(pixels);
  await expect(stopped).rejects.toThrow('enough');
  expect((await next).width).toBe(160);
});

test('a queued picture rejects as soon as its signal aborts; dispose waits for the picture under way', async () => {
  const other = await readModel(checkpointBytes);
  const ended: string[] = [];
  const stopping = new AbortController();
  const large = { data: new Uint8Array(3 * 300 * 200), width: 300, height: 200 };
  const isDisposedDuring = { now: false };
  const first = other
    .upscale(large, {
      tile: 64,
      onProgress: () => {
        stopping.abort(new Error('enough'));
        if (!isDisposedDuring.now) other.dispose();
        isDisposedDuring.now = true;
      },
    })
    .then(() => ended.push('first'));
  const queued = other.upscale(pixels, { signal: stopping.signal }).catch((error: Error) => ended.push(error.message));
  await Promise.all([first, queued]);
  expect(ended).toEqual(['enough', 'first']);
});

test.each([
  ['a model that is missing', () => readModel(join(folder, 'none')), 'not-found', /none/],
  ['a picture that is missing', () => model.upscale(join(folder, 'none.png')), 'not-found', /none\.png cannot be read/],
  ['bytes of no picture', () => model.upscale(new Uint8Array(10)), 'invalid', /./],
  ['a tile that is too small', () => model.upscale(pixels, { tile: 3 }), 'invalid', /^tile is 3/],
  ['another backend', () => readModel(checkpointBytes, { backend: 'torch' }), 'invalid', /computes on wasm/],
  ['a format that is unknown', () => writePicture(join(folder, 'a.bmp'), pixels), 'invalid', /a\.bmp: its extension/],
])('%s is refused by name', async (_, attempt: () => Promise<unknown>, code, message) => {
  await expect(attempt()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
});

test('pictures are encoded in every format', async () => {
  for (const format of ['png', 'jpeg', 'webp', 'tiff', 'avif'] as const) {
    const decoded = await decodePicture(await encodePicture(pixels, format));
    expect([decoded.width, decoded.height]).toEqual([40, 20]);
    if (['png', 'webp', 'tiff'].includes(format)) expect(new Uint8Array(decoded.data), format).toEqual(pixels.data);
  }
});
