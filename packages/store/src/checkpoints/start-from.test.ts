import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@fourfold/common';
import {
  discriminatorLayout,
  encodeTorchGenerator,
  generatorLayout,
  initialVector,
  safetensorsFromVector,
} from '@fourfold/weights';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readStartingDiscriminator, readStartingGenerator } from './start-from.js';

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
  readStartingGenerator(`file://${folder}/${file}`, { store: `file://${folder}`, layout: of, log });

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

test('a run starts from a discriminator’s file; another size is named', async () => {
  const layoutWith = (channels: number) => discriminatorLayout({ channels, dense: 16, head: 'patch' }, 96);
  const layout = layoutWith(4);
  const vector = initialVector(layout, 5);
  await writeFile(join(folder, 'discriminator.safetensors'), safetensorsFromVector(layout, vector, {}));
  const readAs = (channels: number) =>
    readStartingDiscriminator(`file://${folder}/discriminator.safetensors`, {
      store: `file://${folder}`,
      layout: layoutWith(channels),
      log,
    });
  expect(await readAs(4)).toEqual(vector);
  await expect(readAs(8)).rejects.toThrow(/^discriminatorFrom: .*discriminator\.safetensors/);
});
