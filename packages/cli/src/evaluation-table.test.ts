import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import { openStore } from '@fourfold/store';
import { fourfold, heldOutPhotographs, inFolder, writeSmallCheckpoint } from './test-support.js';

test('several sets and methods in one table, with the paper beside ours', async () => {
  await inFolder(async (folder) => {
    const copy = async (set: string, name: string) => {
      await mkdir(join(folder, set), { recursive: true });
      await cp(join(heldOutPhotographs, name), join(folder, set, name));
    };
    const five = ['coffee.png', 'hawa-mahal.jpg', 'hedgehog.jpg', 'raccoon.jpg', 'red-panda.jpg'];
    await Promise.all([
      ...five.map((name) => copy('Set5', name)),
      copy('mine', 'colosseum.jpg'),
      copy('mine', 'hedgehog.jpg'),
    ]);
    await writeSmallCheckpoint(openStore(join(folder, 'run')), 4, { channels: 4, blocks: 1 });
    const evaluate = (...more: string[]) =>
      fourfold(folder, ...['evaluate', '--images', 'Set5', '--images', 'mine', '--method', 'bicubic'], ...more);
    const [text, json] = await Promise.all([
      evaluate('--method', 'lanczos'),
      evaluate('--checkpoint', 'run', '--backend', 'wasm', '--json'),
    ]);
    expect(text.stdout).toMatch(/^Set5:\npicture +bicubic dB +SSIM +lanczos dB +SSIM\ncoffee\.png +27\.29 +0\.7648 /);
    expect(text.stdout).toMatch(
      /\nSet5 .*Ledig et al\. 2017, tables 1 and 2.*\nnearest +26\.26 +0\.7552 +1\.28\nbicubic +(\d\d\.\d\d) +0\.\d{4} +28\.43 +0\.8211 +1\.97\n/,
    );
    expect(text.stdout).toMatch(
      /\n\nmine:\npicture .*\ncolosseum\.jpg +22\.43 .*\nhedgehog\.jpg +19\.25 .*\nmean +20\.84 .*\n$/,
    );
    const { sets } = JSON.parse(json.stdout) as {
      sets: { subjects: { name: string; variant?: string; mean: { psnr: number } }[] }[];
    };
    expect(sets.map(({ subjects }) => subjects.map(({ name }) => name))).toEqual([
      ['bicubic', 'small at 4'],
      ['bicubic', 'small at 4'],
    ]);
    expect(sets[0].subjects.map(({ variant }) => variant)).toEqual([undefined, 'SRResNet-MSE']);
    expect(sets[1].subjects[0].mean.psnr).toBeCloseTo((22.4271 + 19.2469) / 2, 3);
    expect(sets[1].subjects[1].mean.psnr).toBeLessThan(20);
  });
});

test('sets and checkpoints of the same name are distinguished by their places', async () => {
  await inFolder(async (folder) => {
    const places = ['one/HR', 'two/HR'];
    for (const [i, place] of places.entries()) {
      await mkdir(join(folder, place), { recursive: true });
      await cp(join(heldOutPhotographs, 'coffee.png'), join(folder, place, 'coffee.png'));
      await writeSmallCheckpoint(openStore(join(folder, `run${i}`)), 4, { channels: 4, blocks: 1 });
    }
    const runs = ['--checkpoint', 'run0', '--checkpoint', 'run1', '--backend', 'wasm'];
    const { stdout } = await fourfold(
      folder,
      ...['evaluate', ...places.flatMap((place) => ['--images', place]), ...runs, '--json'],
    );
    const { sets } = JSON.parse(stdout) as { sets: { set: string; subjects: { name: string }[] }[] };
    expect(sets.map(({ set }) => set)).toEqual(['HR, one/HR', 'HR, two/HR']);
    const names = sets[0].subjects.map(({ name }) => name);
    expect(names).toEqual(
      runs
        .slice(0, 4)
        .filter((_, i) => i % 2)
        .map((run) => expect.stringMatching(`^small at 4, .*${run}/`) as string),
    );
  });
});

test('files left out of a set are listed, and an incomplete set has no paper’s results beside it', async () => {
  await inFolder(async (folder) => {
    const archive = join(folder, 'Set5.zip');
    const encrypted = 'Set5/encrypted.jpg';
    const names = ['coffee.png', 'hawa-mahal.jpg', 'hedgehog.jpg', 'raccoon.jpg'];
    const zip = new ZipFile();
    for (const name of names) zip.addFile(join(heldOutPhotographs, name), `Set5/${name}`, { compress: false });
    zip.addFile(join(heldOutPhotographs, 'red-panda.jpg'), encrypted);
    zip.addBuffer(Buffer.from('text'), 'Set5/LRbicx4/coffee.png');
    zip.end();
    const bytes = await buffer(zip.outputStream);
    // The general purpose flags of the entry in the directory, 38 bytes before its name.
    bytes[bytes.lastIndexOf(encrypted) - 38] |= 1;
    await writeFile(archive, bytes);
    const [text, json] = await Promise.all([
      fourfold(folder, 'evaluate', '--images', 'Set5.zip', '--method', 'nearest'),
      fourfold(folder, 'evaluate', '--images', 'Set5.zip', '--method', 'nearest', '--json'),
    ]);
    expect(text.exitCode).toBe(0);
    expect(text.stdout).not.toContain('Ledig');
    // A slow machine prints progress in between.
    expect(text.stderr.split('\n').filter((line) => !line.startsWith('evaluate: '))).toEqual([
      'Set5 (its test part): left out 2:',
      expect.stringMatching(/^ {2}(Set5\/)?encrypted\.jpg +encrypted$/),
      expect.stringMatching(/^ {2}LRbicx4\/coffee\.png +made from a photograph of Set5$/),
      "Set5: the paper's means are of 5 pictures and these of 4, so they are not shown side by side",
      '',
    ]);
    const { sets } = JSON.parse(json.stdout) as { sets: { part: string; published: object[]; left: object[] }[] };
    expect(sets[0]).toMatchObject({ part: 'test', published: [] });
    expect(sets[0].left).toHaveLength(2);
  });
});

test('a folder without pictures, a file that is not a picture, nothing to measure: one line and exit code 2', async () => {
  await inFolder(async (folder) => {
    const evaluate = (...args: string[]) => fourfold(folder, 'evaluate', '--images', folder, ...args);
    const empty = await evaluate('--method', 'bicubic');
    expect(empty).toMatchObject({ exitCode: 2, stdout: '' });
    expect(empty.stderr).toMatch(/^fourfold: \/.* holds no pictures to measure on: it is empty; .*\n$/);

    await writeFile(join(folder, 'note.png'), 'no picture at all');
    const broken = await evaluate('--method', 'nearest');
    expect(broken).toMatchObject({ exitCode: 2, stdout: '' });
    expect(broken.stderr).toMatch(/^fourfold: .*note\.png: \S.*\n$/);

    const nothing = await evaluate();
    expect(nothing.exitCode).toBe(2);
    expect(nothing.stderr).toMatch(
      /^fourfold: evaluate: nothing to measure; give --checkpoint URL, --model .*, or --method .*\n$/,
    );
  });
});
