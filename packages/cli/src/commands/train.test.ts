import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '@fourfold/store';
import { prepare, prepareDefaults } from '@fourfold/data-loader';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { fourfold, heldOutPhotographs, inFolder } from '../test-support.js';

test('mistakes that a run would meet hours in are reported before it starts, and nothing is left behind', async () => {
  await inFolder(async (folder) => {
    const store = openStore(join(folder, 'ds'));
    await prepare({ ...prepareDefaults, images: heldOutPhotographs, store, name: 'ds' });
    await mkdir(join(folder, 'images'));
    await writeFile(join(folder, 'images', 'empty.jpg'), '');
    const phases = [{ kind: 'mse', iterations: 2, learningRate: 1e-4 }];
    const config = { name: 'look', dataset: 'ds', phases, validation: { images: 'images' } };
    await writeFile(join(folder, 'run.yaml'), stringify(config));
    const train = (...settings: string[]) =>
      fourfold(folder, 'train', 'run.yaml', ...settings.flatMap((setting) => ['--set', setting]));
    const outcomes = await Promise.all([
      train(),
      train('validation.images=nowhere'),
      train('validation.images=ds', 'loss.content=vgg22', 'phases.0.kind=content', 'vgg=nowhere.safetensors'),
    ]);
    const reasons = [
      /images\/empty\.jpg: it is empty: 0 bytes\n$/,
      /nowhere does not exist; /,
      /nowhere\.safetensors does not exist/,
    ];
    for (const [i, { exitCode, stdout, stderr }] of outcomes.entries()) {
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(/^fourfold: .*\n$/);
      expect(stderr).toMatch(reasons[i]);
    }
    expect((await readdir(folder)).sort()).toEqual(['ds', 'images', 'run.yaml']);
  });
});
