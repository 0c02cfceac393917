import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint, openStore, readGenerator, writeCheckpoint } from '@fourfold/store';
import { safetensorsFromVector } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { fourfold, inFolder, writeSmallCheckpoint } from '../test-support.js';
import { blendGenerators } from '../exporting/blend-generators.js';
import { tfjsFormat } from '../exporting/tfjs-format.js';
import { describeModel } from '../exporting/model-card.js';

const sizes = { channels: 4, blocks: 1 };
const open = (url: string) => openCheckpoint(url, () => undefined);

test('blend writes a checkpoint between two, and a card; at 0 it is the first generator', async () => {
  await inFolder(async (folder) => {
    await writeSmallCheckpoint(openStore(join(folder, 'a')), 4, sizes);
    const first = await open(join(folder, 'a'));
    const { vector, layout } = await readGenerator(first);
    const opposite = safetensorsFromVector(
      layout,
      vector.map((value) => -value),
      {},
    );
    const files = { 'generator.safetensors': opposite };
    await writeCheckpoint(openStore(join(folder, 'b')), first.manifest, files, () => Promise.resolve());
    const second = await open(join(folder, 'b'));
    const blend = await fourfold(folder, 'blend', 'a', 'b', '--alpha', '0.25', '--out', 'c', '--json');
    expect([blend.exitCode, blend.stderr]).toEqual([0, '']);
    const made = await open(join(folder, 'c'));
    expect(JSON.parse(blend.stdout)).toMatchObject({ checkpoint: made.store.url, alpha: 0.25 });
    const blended = (await readGenerator(made)).vector;
    expect(Math.max(...blended.map((value, i) => Math.abs(value - 0.5 * vector[i])))).toBeLessThan(1e-6);
    expect(await readFile(join(folder, 'c/README.md'), 'utf8')).toContain('- 0.25 of small, iteration 4');
    // A mark says that the config, the second run's, does not name its variant.
    expect(made.manifest.blend).toMatchObject([{ share: 0.75 }, { share: 0.25, run: 'small', iteration: 4 }]);
    const described = describeModel({
      ...{ checkpoint: made, evaluation: undefined, weights: await readGenerator(made), stated: {} },
      ...{ format: tfjsFormat, files: [], checks: [], notChecked: [] },
    });
    expect(described).toContain('- 0.25 of small, iteration 4: `');
    expect(described).not.toMatch(/learningRate|Dataset/);
    await blendGenerators({ first, second, alpha: 0 }, join(folder, 'none'));
    expect((await readGenerator(await open(join(folder, 'none')))).vector).toEqual(vector);
  });
});

test('blend refuses other shapes, a share beyond 1 and a folder in use, and writes nothing', async () => {
  await inFolder(async (folder) => {
    await writeSmallCheckpoint(openStore(join(folder, 'a')), 4, sizes);
    await writeSmallCheckpoint(openStore(join(folder, 'wide')), 4, { channels: 8, blocks: 1 });
    const shapes = await fourfold(folder, 'blend', 'a', 'wide', '--alpha', '0.5', '--out', 'c');
    expect(shapes.stderr).toMatch(
      /^fourfold: these generators cannot be blended: .* 4 channels and 1 blocks, .* 8 channels/,
    );
    const share = await fourfold(folder, 'blend', 'a', 'a', '--alpha', '1.5', '--out', 'c');
    const used = await fourfold(folder, 'blend', 'a', 'a', '--alpha', '0.5', '--out', 'wide');
    expect([shapes, share, used].map(({ exitCode }) => exitCode)).toEqual([2, 2, 2]);
    expect((await readdir(folder)).sort()).toEqual(['a', 'wide']);
  });
});
