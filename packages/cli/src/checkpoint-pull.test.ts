import { sha256 } from '@fourfold/common';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore, type ObjectStore, openCheckpoint } from '@fourfold/store';
import { expect, test } from 'vitest';
import { pullCheckpoint } from './checkpoint-pull.js';
import { inFolder, writeSmallCheckpoint } from './test-support.js';
import { sayDamaged } from './damaged.js';

const sizes = { channels: 4, blocks: 1 };
const file = 'generator.safetensors';

/** A run whose second of three checkpoints is the best. */
const withRun = (use: (run: ObjectStore, folder: string) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const run = openStore(join(folder, 'store')).at('runs/small');
    await writeSmallCheckpoint(run, 1, sizes, sizes, 20);
    await writeSmallCheckpoint(run, 2, sizes, sizes, 22);
    await writeSmallCheckpoint(run, 3, sizes, sizes, 21);
    await use(run, join(folder, 'copy'));
  });

const pull = async (url: string, folder: string) =>
  pullCheckpoint(await openCheckpoint(url, sayDamaged), folder, () => undefined);

test('a run’s URL and RUN/latest name the newest checkpoint, RUN/best the one with the highest PSNR', async () => {
  await withRun(async (run) => {
    const iterationOf = async (url: string) => (await openCheckpoint(url, sayDamaged)).manifest.iteration;
    expect(await iterationOf(run.url)).toBe(3);
    expect(await iterationOf(`${run.url}/latest`)).toBe(3);
    expect(await iterationOf(`${run.url}/best/`)).toBe(2);
    await run.remove('checkpoints/00000002-0001/manifest.json');
    expect(await iterationOf(`${run.url}/best`)).toBe(3);
  });
});

test('a real folder called latest is used as it is', async () => {
  await withRun(async (run, folder) => {
    await pull(`${run.url}/best`, join(folder, 'latest'));
    expect((await openCheckpoint(join(folder, 'latest'), sayDamaged)).manifest.iteration).toBe(2);
  });
});

test('a broken download resumes at its last byte', async () => {
  await withRun(async (run, folder) => {
    const { store, manifest } = await openCheckpoint(run.url, sayDamaged);
    const half = manifest.files[file].sizeBytes >> 1;
    const breaking: ObjectStore = {
      ...store,
      async *read(key, begin = 0) {
        for await (const chunk of store.read(key, begin)) {
          yield chunk.subarray(0, half);
          throw new Error('the network is gone');
        }
      },
    };
    await expect(pullCheckpoint({ store: breaking, manifest }, folder, () => undefined)).rejects.toThrow('is gone');
    const partial = `.partial-${file}-${manifest.files[file].sha256.slice(0, 16)}`;
    expect((await readdir(folder)).sort()).toEqual([partial, 'unfinished.json']);
    const progress: number[] = [];
    const report = await pullCheckpoint({ store, manifest }, folder, (done) => progress.push(done));
    expect(report).toEqual({ sizeBytes: manifest.files[file].sizeBytes, resumedBytes: half });
    expect([progress[0], progress.at(-1)]).toEqual([half, report.sizeBytes]);
    expect((await readdir(folder)).sort()).toEqual([file, 'manifest.json']);
    expect(sha256(await readFile(join(folder, file)))).toBe(manifest.files[file].sha256);
  });
});

test('files that exist already are not fetched again, and damage in them is found', async () => {
  await withRun(async (run, folder) => {
    const { sizeBytes } = await pull(run.url, folder);
    await rm(join(folder, 'manifest.json'));
    expect(await pull(run.url, folder)).toEqual({ sizeBytes, resumedBytes: sizeBytes });

    const { manifest } = await openCheckpoint(run.url, sayDamaged);
    for (const name of ['manifest.json', file]) await rm(join(folder, name));
    const partial = join(folder, `.partial-${file}-${manifest.files[file].sha256.slice(0, 16)}`);
    await writeFile(partial, randomBytes(100));
    await writeFile(join(folder, `.partial-${file}-0123456789abcdef`), 'of another checkpoint');
    expect(await pull(run.url, folder)).toEqual({ sizeBytes, resumedBytes: 0 });
    expect((await readdir(folder)).sort()).toEqual([file, 'manifest.json']);
  });
});

test('another checkpoint replaces the leftovers of an interrupted pull', async () => {
  await withRun(async (run, folder) => {
    const { store, manifest } = await openCheckpoint(run.url, sayDamaged);
    const get = () => Promise.reject(new Error('the network is gone'));
    const old = { ...manifest, files: { ...manifest.files, 'old.safetensors': manifest.files[file] } };
    const read = (_: string, begin?: number) => store.read(file, begin);
    await expect(
      pullCheckpoint({ store: { ...store, get, read }, manifest: old }, folder, () => undefined),
    ).rejects.toThrow('is gone');
    expect((await readdir(folder)).sort()).toEqual([file, 'old.safetensors', 'unfinished.json']);
    await writeSmallCheckpoint(run, 4, { ...sizes, channels: 5 });
    await pull(run.url, folder);
    expect((await readdir(folder)).sort()).toEqual([file, 'manifest.json']);
    expect((await openCheckpoint(folder, sayDamaged)).manifest.iteration).toBe(4);
  });
});

test('a folder with a user’s file is refused, and the file stays', async () => {
  await withRun(async (run, folder) => {
    await mkdir(folder);
    for (const name of [file, 'notes.txt']) {
      await writeFile(join(folder, name), 'mine');
      await expect(pull(run.url, folder)).rejects.toMatchObject({
        code: 'invalid',
        message: `${openStore(folder).url} holds ${name}, which fourfold did not create`,
      });
      expect(await readdir(folder)).toEqual([name]);
      expect(await readFile(join(folder, name), 'utf8')).toBe('mine');
      await rm(join(folder, name));
    }
    await writeFile(join(folder, '.partial-thesis.docx'), 'mine');
    await pull(run.url, folder);
    expect(await readdir(folder)).toContain('.partial-thesis.docx');
  });
});

test.each(['.env', 'unfinished.json', 'manifest.json', 'Manifest.json'])(
  'a manifest that names %s as a file of the checkpoint is damaged, and nothing is written',
  async (name) => {
    await withRun(async (run, folder) => {
      const key = 'checkpoints/00000003-0001/manifest.json';
      const manifest = JSON.parse((await run.get(key)).toString()) as { files: Record<string, unknown> };
      manifest.files[name] = manifest.files[file];
      await run.put(key, JSON.stringify(manifest));
      await mkdir(folder);
      await writeFile(join(folder, '.env'), 'mine');
      await expect(pull(`${run.url}/checkpoints/00000003-0001`, folder)).rejects.toMatchObject({ code: 'corrupt' });
      expect(await readdir(folder)).toEqual(['.env']);
      expect(await readFile(join(folder, '.env'), 'utf8')).toBe('mine');
    });
  },
);
