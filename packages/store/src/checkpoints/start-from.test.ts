import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@fourfold/common';
import { encodeTorchGenerator, generatorLayout, initialVector } from '@fourfold/weights';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readStartingGenerator } from './start-from.js';

const config = { channels: 4, blocks: 2 };
const layout = generatorLayout(config);
const vector = initialVector(layout, 3);
const log = createLogger('test');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-start-'));
  await writeFile(join(folder, 'torch.safetensors'), encodeTorchGenerator({ config, layout, vector }, {}));
});
afterAll(() => rm(folder, { recursive: true }));

const read = (file: string, of = layout) =>
  readStartingGenerator({ startFrom: `file://${folder}/${file}`, store: `file://${folder}` }, of, log);

test('a run starts from a file with PyTorch’s names', async () => {
  expect(await read('torch.safetensors')).toEqual(vector);
});

test('a file of other sizes says its own', async () => {
  await expect(read('torch.safetensors', generatorLayout({ channels: 8, blocks: 2 }))).rejects.toThrow(
    /^startFrom: .*torch\.safetensors has 4 channels and 2 blocks$/,
  );
});

test('a file that is not there is named', async () => {
  await expect(read('other.safetensors')).rejects.toThrow(/other\.safetensors/);
});
