import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '@fourfold/store';
import { prepare, prepareDefaults } from '@fourfold/data-loader';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { heldOutPhotographs, inFolder, writeSmallCheckpoint } from '../test-support.js';
import { clearDemoFolder, datasetIn, demoFiles, storeIn } from './demo-folder.js';

/** The files of a demo that matter here. */
async function writeDemo(folder: string): Promise<void> {
  const images = join(folder, '..', 'images');
  await cp(join(heldOutPhotographs, 'raccoon.jpg'), join(images, 'raccoon.jpg'));
  await prepare({ ...prepareDefaults, images, store: openStore(datasetIn(folder)), name: 'examples' });
  for (const file of demoFiles) await writeFile(join(folder, file), 'made');
  await writeFile(join(folder, 'config.yaml'), stringify({ recipe: 'demo', name: 'demo', store: storeIn(folder) }));
  const run = openStore(storeIn(folder)).at('runs/demo');
  await run.put('run.json', '{}');
  await writeSmallCheckpoint(run, 1, { channels: 2, blocks: 1 });
}

test.each(['with a mark', 'of a version without marks'])('an existing demo is replaced: one %s', async (kind) => {
  await inFolder(async (folder) => {
    const demo = join(folder, 'demo');
    await clearDemoFolder(demo);
    await writeDemo(demo);
    if (kind !== 'with a mark') await rm(join(demo, 'demo.json'));
    await clearDemoFolder(demo);
    expect((await readdir(demo, { recursive: true })).filter((name) => !/^store(.runs)?$/.test(name))).toEqual([
      'demo.json',
    ]);
  });
});

test('files that the user has put into a demo’s folder outlive it', async () => {
  await inFolder(async (folder) => {
    const demo = join(folder, 'demo');
    await clearDemoFolder(demo);
    await writeDemo(demo);
    const mine = ['large.png', 'dataset/shard-000077.tar', 'store/runs/mine/run.json', 'store/runs/demo/thesis.docx'];
    for (const path of mine) {
      await mkdir(join(demo, path, '..'), { recursive: true });
      await writeFile(join(demo, path), 'mine');
    }
    await clearDemoFolder(demo);
    for (const path of mine) expect(await readFile(join(demo, path), 'utf8')).toBe('mine');
    const files = (await readdir(demo, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files).toHaveLength(mine.length + 1);
  });
});

test('a folder that no demo has made is refused unchanged', async () => {
  await inFolder(async (folder) => {
    const demo = join(folder, 'demo');
    await mkdir(join(demo, 'store'), { recursive: true });
    await writeFile(join(demo, 'config.yaml'), 'recipe: demo\nname: mine\n');
    await expect(clearDemoFolder(demo)).rejects.toMatchObject({ code: 'invalid' });
    expect((await readdir(demo)).sort()).toEqual(['config.yaml', 'store']);
  });
});
