import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore, openCheckpoint, type Checkpoint } from '@fourfold/store';
import type { Picture } from '@fourfold/imaging';
import { runGraphModel } from '@fourfold/model/graph-model';
import { initialVector, generatorLayout, type GeneratorWeights } from '@fourfold/weights';
import { sayDamaged } from '../damaged.js';
import { fourfold, heldOutPhotographs, writeSmallCheckpoint } from '../test-support.js';
import { createUpscaler, startBackend, type Upscaler } from '../upscaling/generator.js';
import { exportGenerator } from './export-generator.js';
import { onnxFormat } from './onnx-format.js';
import { loadFormat } from './formats.js';
import { describeModel, type Stated } from './model-card.js';
import { pythonModules, runsInPython, upscaleInPython } from './test-python.js';
import { largestDifference } from './trial-picture.js';
import { lacks, pythonWith } from '../../../../test/support/needs.mjs';

let folder: string;
let checkpoint: Checkpoint;
let weights: GeneratorWeights;
let pictures: Picture[];
let expected: Picture[];
let upscaler: Upscaler;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-export-'));
  const run = openStore(folder).at('runs/small');
  const config = { channels: 6, blocks: 2 };
  await writeSmallCheckpoint(run, 4, config);
  checkpoint = await openCheckpoint(run.url, sayDamaged);
  weights = trainedGenerator(config);
  pictures = await Promise.all([
    oddCrop('coffee.png', 61, 43),
    oddCrop('raccoon.jpg', 37, 55),
    oddCrop('hedgehog.jpg', 29, 31),
  ]);
  await startBackend('wasm');
  upscaler = createUpscaler(weights, 'zeros');
  expected = [];
  for (const picture of pictures)
    expected.push(await upscaler.upscale(picture, Math.max(picture.width, picture.height)));
});
afterAll(() => rm(folder, { recursive: true }));

/** Weights with slopes, scales and running averages of their own, as training leaves them, and a picture's contrast. */
function trainedGenerator(config: GeneratorWeights['config']): GeneratorWeights {
  const layout = generatorLayout(config);
  const vector = initialVector(layout, 3);
  for (const { name, offset, sizeElements } of layout.tensors) {
    const part = name.split('/').at(-1) ?? '';
    for (let i = offset; i < offset + sizeElements; i++) {
      const wave = Math.sin(17 * i);
      if (part === 'gamma') vector[i] = 1 + 0.3 * wave;
      if (part === 'beta' || part === 'mean') vector[i] = 0.2 * wave;
      if (part === 'variance') vector[i] = 0.05 + 0.04 * wave;
      if (part === 'slope') vector[i] = 0.25 + 0.3 * wave;
      if (name === 'tail/conv/filter') vector[i] *= 4;
    }
  }
  return { config, layout, vector };
}

async function oddCrop(photograph: string, width: number, height: number): Promise<Picture> {
  const data = await sharp(join(heldOutPhotographs, photograph))
    .removeAlpha()
    .resize({ width: 160 })
    .extract({ left: 21, top: 13, width, height })
    .raw()
    .toBuffer();
  return { data: new Uint8Array(data), width, height };
}

const cases = [
  { name: 'onnx', pixels: 'uint8' },
  { name: 'onnx', pixels: 'float' },
  { name: 'tfjs', pixels: 'float' },
  { name: 'safetensors', pixels: 'float' },
] as const;

describe.each(cases)('$name, $pixels', ({ name, pixels }) => {
  const out = () => join(folder, `${name}-${pixels}`);

  test('the written files run, with the pixels of fourfold’s generator', async () => {
    const format = await loadFormat(name, weights, {
      pixels,
      python: runsInPython(name) ? pythonWith(pythonModules[name]) : undefined,
    });
    const report = await exportGenerator({ checkpoint, weights, format, out: out(), pictures, expected });
    expect(expected.map(({ data }) => new Set(data).size > 100)).toEqual([true, true, true]);
    for (const { largestDifference } of report.checks) expect(largestDifference).toBeLessThanOrEqual(1);
    expect(report.checks.length).toBeGreaterThan(0);
    expect((await readdir(out())).sort()).toEqual([...report.files.map((file) => file.name), 'README.md'].sort());
    const card = await readFile(join(out(), 'README.md'), 'utf8');
    for (const { sha256 } of report.files) expect(card).toContain(sha256);
    expect(card).toContain(checkpoint.manifest.files['generator.safetensors'].sha256);
  });

  if (!runsInPython(name)) return;
  const python = pythonWith(pythonModules[name]);
  test.skipIf(lacks(`python-${name}`, !!python))(
    `in Python, too${python ? '' : ': name one that has what it needs in FOURFOLD_PYTHON'}`,
    async () => {
      for (const [i, picture] of pictures.entries()) {
        const sr = await upscaleInPython(python ?? '', `${name}-${pixels}`, out(), picture);
        expect(largestDifference(sr, expected[i])).toBeLessThanOrEqual(1);
      }
    },
  );
});

test("the card names what the weights come from, and this checkpoint's own figures", async () => {
  const { manifest } = checkpoint;
  const card = (config: object, evaluation: Parameters<typeof describeModel>[0]['evaluation'], stated: Stated = {}) =>
    describeModel({
      checkpoint: { ...checkpoint, manifest: { ...manifest, config: { ...(manifest.config as object), ...config } } },
      ...{
        evaluation,
        weights,
        format: onnxFormat('uint8'),
        stated,
        files: [],
        checks: [],
        notChecked: [],
      },
    });
  expect(card({ dataset: undefined }, undefined)).toContain('State them with `fourfold export --dataset TEXT`.');
  const said = card({}, undefined, { dataset: 'DIV2K, 800 photographs', licence: 'CC BY 4.0' });
  expect(said).toMatch(/Dataset `DIV2K, 800 photographs`.*\n[\s\S]*## Licence\n\nCC BY 4\.0\n/);
  const gan = { startFrom: 's3://models/runs/first', vgg: 's3://models/vgg19/0123.safetensors' };
  const validation = { images: '/data/Set14' };
  const bicubic = { psnr: 26, ssim: 0.7 };
  const evaluation = { iteration: 4, psnr: 27.5, ssim: 0.75, bicubic, pictures: [] };
  const loss = { content: 'vgg54' };
  const full = card({ ...gan, validation, loss, phases: [{ kind: 'gan' }] }, evaluation);
  expect(full).toContain('Training began with the generator of `first`');
  expect(full).toContain('VGG19 of `0123.safetensors`');
  expect(full).toContain('PSNR 27.50 dB, SSIM 0.7500 (bicubic: 26.00 dB, 0.7000)');
  expect(full).toContain("the run's validation `Set14`.");
  expect(full).not.toMatch(/s3:|\/data/);
  const plain = card({ ...gan, startFrom: undefined, loss: { content: 'mse' }, phases: [{ kind: 'gan' }] }, undefined);
  expect(plain).not.toMatch(/Training began|VGG19 of/);
  // Phases of kind mse have no content loss, whatever the config says of it.
  expect(card({ ...gan, loss, phases: [{ kind: 'mse' }] }, undefined)).not.toContain('VGG19 of');
  expect(plain).toContain('PSNR 24.00 dB');
});

test('a batch of two pictures gives both, by ONNX with whole pixels and by the GraphModel', async () => {
  const [{ data, width, height }] = pictures;
  const other = { data: data.toReversed(), width, height };
  const batch = new Uint8Array([...data, ...other.data]);
  const shape = [2, height, width, 3] as [number, number, number, number];
  const { data: below } = await upscaler.upscale(other, 64);
  const wanted = { data: new Uint8Array([...expected[0].data, ...below]), width, height };
  const read = async (path: string) => new Uint8Array(await readFile(join(folder, path)));

  const ort = await import('onnxruntime-web');
  const session = await ort.InferenceSession.create(await read('onnx-uint8/generator.onnx'));
  const { sr } = await session.run({ lr: new ort.Tensor('uint8', batch, shape) });
  expect(largestDifference({ data: sr.data as Uint8Array, width, height }, wanted)).toBeLessThanOrEqual(1);

  const model = await runGraphModel(await read('tfjs-float/model.json'), (name) => read(`tfjs-float/${name}`));
  const values = await model.run(
    Float32Array.from(batch, (level) => level / 255),
    shape,
  );
  const levels = new Uint8Array(Uint8ClampedArray.from(values, (value) => Math.floor(value * 255 + 0.5)));
  expect(largestDifference({ data: levels, width, height }, wanted)).toBeLessThanOrEqual(1);
});

test('a written file that computes something else is an error, and only the empty folder is left', async () => {
  const honest = onnxFormat('uint8');
  const write: typeof honest.write = async (generator, facts) => {
    const files = await honest.write(generator, facts);
    const text = Buffer.from(files['generator.onnx']).toString('latin1');
    return { 'generator.onnx': Buffer.from(text.replaceAll('DCR', 'CRD'), 'latin1') };
  };
  const out = join(folder, 'wrong');
  await mkdir(out);
  const wrong = { checkpoint, weights, format: { ...honest, write }, out, pictures, expected };
  await expect(exportGenerator(wrong)).rejects.toThrow(
    /^the written model, run by onnxruntime-web, differs by up to \d+ grey levels? from fourfold’s generator$/,
  );
  expect((await readdir(folder)).filter((name) => name.includes('wrong'))).toEqual(['wrong']);
  expect(await readdir(out)).toEqual([]);
});

test('the command: a folder that holds something is refused, an empty one filled', async () => {
  await mkdir(join(folder, 'full'));
  await mkdir(join(folder, 'empty'));
  await writeFile(join(folder, 'full', 'mine.txt'), 'mine');
  const command = (out: string) =>
    fourfold(folder, 'export', '--checkpoint', 'runs/small', '--format', 'onnx', '--out', out, '--backend', 'wasm');
  const [full, empty, owned] = await Promise.all([command('full'), command('empty'), command('runs/small/best')]);
  expect(owned).toMatchObject({
    exitCode: 2,
    stderr: 'fourfold: runs/small/best would be in runs/small, which is read; name another folder\n',
  });
  expect(full).toEqual({
    exitCode: 2,
    stdout: '',
    stderr: 'fourfold: full is not empty; name another folder\n',
  });
  expect(empty).toMatchObject({ exitCode: 0, stderr: '' });
  expect(empty.stdout).toMatch(/^run by onnxruntime-web: pixels differ .* by at most (0 grey levels|1 grey level)$/m);
  expect((await readdir(join(folder, 'empty'))).sort()).toEqual(['README.md', 'generator.onnx']);
});
