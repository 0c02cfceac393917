import { readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '@fourfold/store';
import { expect, test } from 'vitest';
import { fourfold, inFolder, writeSmallCheckpoint } from '../test-support.js';

const sizes = { channels: 4, blocks: 1 };

/** A store with a run `small` of two checkpoints; `newest` is the folder of the newer one. */
const withRun = (use: (folder: string, newest: string) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const run = openStore(join(folder, 'store')).at('runs/small');
    await writeSmallCheckpoint(run, 2, sizes);
    const name = await writeSmallCheckpoint(run, 4, sizes);
    await use(folder, join(folder, 'store/runs/small/checkpoints', name));
  });

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length - 5] ^= 1;
  await writeFile(path, bytes);
}

test('ls shows the checkpoints of a store’s runs, verify and pull take the newest of a run', async () => {
  await withRun(async (folder) => {
    const ls = await fourfold(folder, 'checkpoints', 'ls', 'store', '--json');
    expect(ls.exitCode).toBe(0);
    const { checkpoints } = JSON.parse(ls.stdout) as { checkpoints: object[] };
    expect(checkpoints).toMatchObject([
      { run: 'small', name: '00000002-0001', iteration: 2, psnr: 22, best: false, finished: false },
      { run: 'small', name: '00000004-0001', iteration: 4, psnr: 24, best: true, finished: true },
    ]);

    const pull = await fourfold(folder, 'checkpoints', 'pull', 'store/runs/small', 'copy');
    expect(pull.exitCode).toBe(0);
    expect((await readdir(join(folder, 'copy'))).sort()).toEqual(['generator.safetensors', 'manifest.json']);
    const verify = await fourfold(folder, 'checkpoints', 'verify', 'copy');
    expect(verify).toMatchObject({ exitCode: 0, stderr: '' });
    expect(verify.stdout).toContain('is whole: iteration 4');

    const again = await fourfold(folder, 'checkpoints', 'pull', 'store/runs/small', 'copy');
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toMatch(/^fourfold: .*copy already holds a manifest; .*\n$/);
  });
});

test('a copy does not take a name of the run, nor the place of its source', async () => {
  await withRun(async (folder, newest) => {
    const run = 'store/runs/small';
    const before = await openStore(folder).list('');
    for (const [url, place] of [
      [run, `${run}/checkpoints/00000009-0001`],
      [`${run}/best`, `${run}/latest`],
      [newest, newest],
    ]) {
      const { exitCode, stderr } = await fourfold(folder, 'checkpoints', 'pull', url, place);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/ (is inside|is) .*, which is read; name an output outside the input\n$/);
    }
    expect(await openStore(folder).list('')).toEqual(before);
  });
});

const damages: [what: string, damage: (checkpoint: string) => Promise<unknown>, message: RegExp][] = [
  [
    'a flipped byte',
    (folder) => flipByte(join(folder, 'generator.safetensors')),
    /generator\.safetensors is damaged: its SHA-256/,
  ],
  [
    'a truncated file',
    (folder) => truncate(join(folder, 'generator.safetensors'), 100),
    /generator\.safetensors is damaged/,
  ],
  ['a missing file', (folder) => rm(join(folder, 'generator.safetensors')), /generator\.safetensors does not exist/],
  ['no manifest', (folder) => rm(join(folder, 'manifest.json')), /no checkpoint at .*: it has no manifest\.json/],
  ['a truncated manifest', (folder) => truncate(join(folder, 'manifest.json'), 100), /manifest\.json is not JSON/],
  ['another manifest', (folder) => writeFile(join(folder, 'manifest.json'), '{}'), /is not a checkpoint's manifest/],
];

test.each(damages)('%s: one line, exit code non-zero, nothing written', async (_what, damage, message) => {
  await withRun(async (folder, newest) => {
    await damage(newest);
    await writeFile(join(folder, 'a.svg'), '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>');
    const commands = [
      ['checkpoints', 'verify', newest],
      ['checkpoints', 'pull', newest, 'copy'],
      ['upscale', 'a.svg', 'b.png', '--checkpoint', newest],
    ];
    const outcomes = await Promise.all(commands.map((command) => fourfold(folder, ...command)));
    for (const { exitCode, stdout, stderr } of outcomes) {
      expect(exitCode).toBeGreaterThan(0);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^fourfold: .*\n$/);
      expect(stderr).toMatch(message);
    }
    expect(await readdir(folder)).not.toContain('b.png');
    const copied = await readdir(join(folder, 'copy')).catch(() => []);
    // The mark of an unfinished folder may stay.
    expect(copied.filter((name) => name !== 'unfinished.json')).toEqual([]);
  });
});

test('a run whose newest checkpoint is damaged means the one before, and stderr says so', async () => {
  await withRun(async (folder, newest) => {
    await flipByte(join(newest, 'generator.safetensors'));
    const { exitCode, stdout, stderr } = await fourfold(folder, 'checkpoints', 'verify', 'store/runs/small');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('is whole: iteration 2');
    expect(stderr).toMatch(/^fourfold: skipping checkpoint 00000004-0001: .* is damaged.*\n$/);
    const pulled = await fourfold(folder, 'checkpoints', 'pull', 'store/runs/small', 'copy');
    expect(pulled).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^iteration 2, /) as string });
    expect((await readdir(join(folder, 'copy'))).sort()).toEqual(['generator.safetensors', 'manifest.json']);
  });
});

test('weights of another shape than the config’s are refused by name', async () => {
  await inFolder(async (folder) => {
    const run = openStore(folder).at('runs/small');
    await writeSmallCheckpoint(run, 4, { channels: 8, blocks: 1 }, sizes);
    const { exitCode, stderr } = await fourfold(folder, 'checkpoints', 'verify', 'runs/small');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^fourfold: .*does not fit the configured generator: head\/conv\/filter is .*\n$/);
  });
});

test('a place without checkpoints', async () => {
  await inFolder(async (folder) => {
    for (const command of [
      ['ls', '.'],
      ['verify', '.'],
      ['pull', 'nowhere', 'copy'],
    ]) {
      const { exitCode, stderr } = await fourfold(folder, 'checkpoints', ...command);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/^fourfold: no checkpoints? at file:.*\n$/);
    }
  });
});
