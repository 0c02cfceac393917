import { sha256 } from '@fourfold/common';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { fourfold, inFolder } from '../test-support.js';

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
