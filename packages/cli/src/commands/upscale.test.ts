import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '@fourfold/store';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { fourfold, heldOutPhotographs, inFolder, writeSmallCheckpoint } from '../test-support.js';

const command = fileURLToPath(new URL('../../bin/fourfold.js', import.meta.url));
const small = () => sharp(join(heldOutPhotographs, 'coffee.png')).resize(16, 12);

/** Run the command with bytes on standard input. */
function piped(folder: string, bytes: Buffer, ...args: string[]): Promise<{ stdout: Buffer; stderr: string }> {
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, encoding: 'buffer' as const };
    const child = execFile(process.execPath, [command, ...args], options, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.toString()));
      else resolve({ stdout, stderr: stderr.toString() });
    });
    child.stdin?.end(bytes);
  });
}

test('by the model that comes with it, from standard input to standard output, in the format of the data', async () => {
  await inFolder(async (folder) => {
    const args = ['upscale', '-', '-', '--scale', '2', '--backend', 'wasm'];
    const { stdout, stderr } = await piped(folder, await small().webp().toBuffer(), ...args);
    expect(stderr).toMatch(/^standard output: 32x24 from 16x12 in [\d.]+ s\n$/);
    expect(await sharp(stdout).metadata()).toMatchObject({ format: 'webp', width: 32, height: 24 });
    const png = await piped(folder, await small().webp().toBuffer(), ...args, '--format', 'png');
    expect(await sharp(png.stdout).metadata()).toMatchObject({ format: 'png', width: 32, height: 24 });
    expect(await readdir(folder)).toEqual([]);
  });
});

test('a folder by a folder that holds a checkpoint: one JSON object; a damaged picture decides the exit code', async () => {
  await inFolder(async (folder) => {
    const run = openStore(folder).at('runs/small');
    const name = await writeSmallCheckpoint(run, 4, { channels: 4, blocks: 1 });
    await cp(join(folder, 'runs/small/checkpoints', name), join(folder, 'mine/checkpoint'), { recursive: true });
    await mkdir(join(folder, 'in'));
    await small().toFile(join(folder, 'in/a.png'));
    await writeFile(join(folder, 'in/b.png'), 'no picture');
    const args = ['upscale', 'in', 'out', '--checkpoint', 'mine', '--backend', 'wasm', '--json'];
    const { exitCode, stdout, stderr } = await fourfold(folder, ...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /could not upscale 1 picture:\n {2}b\.png .*\nfourfold: in: 1 of 2 pictures could not be upscaled\n$/,
    );
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ run: 'small', iteration: 4, backend: 'wasm', scale: 4 },
      pictures: [
        { input: 'in/a.png', output: 'out/a.png', from: { width: 16, height: 12 }, to: { width: 64, height: 48 } },
      ],
      ...{ left: [], kept: [], failed: [{ file: 'b.png' }] },
    });
  });
});

test('what cannot be is refused in one line', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'in'));
    await small().toFile(join(folder, 'in/a.png'));
    const refusals: [args: string[], message: RegExp][] = [
      [['in', 'in/large'], /^fourfold: in\/large would be in in, which is read; name another folder\n$/],
      [['in', 'in'], /^fourfold: in is the input; name another folder\n$/],
      [['in', 'in/a.png'], /^fourfold: upscale: in is a folder, so the output must be a folder too; .*\n$/],
      [['in', '-'], /^fourfold: upscale: in is a folder, so the output must be a folder too; .*\n$/],
      [
        ['in/a.png', '-', '--json'],
        /^fourfold: upscale: --json and the picture would both be on standard output; .*\n$/,
      ],
      [['in/a.png', 'b.png', '--model', 'nothing'], /^fourfold: .*--model.*nothing.*srresnet-mse.*\n$/],
      [
        ['in/a.png', 'b.png', '--model', 'srresnet-mse', '--checkpoint', 'x'],
        /^fourfold: .*--model.*--checkpoint.*\n$/,
      ],
      [['in/a.png', 'b.png', '--scale', '8'], /^fourfold: .*--scale.*2, 3, 4.*\n$/],
    ];
    const outcomes = await Promise.all(refusals.map(([args]) => fourfold(folder, 'upscale', ...args)));
    for (const [i, { exitCode, stdout, stderr }] of outcomes.entries()) {
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(refusals[i][1]);
    }
  });
});
