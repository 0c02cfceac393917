import { readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { type LpipsChoice } from '@fourfold/common';
import { readLpipsFile } from '@fourfold/store';
import { lpipsNetworks } from '@fourfold/weights';
import { lacks } from '../../../../test/support/needs.mjs';
import { fourfold, inFolder } from '../test-support.js';

/*
 * `fourfold evaluate` against scores that resize-right, PyTorch and scikit-image computed from the same crops of photographs
 * (test/evaluation-reference/make.py), on the best backend available, for the baselines and the generators that come with fourfold.
 */

const repository = fileURLToPath(new URL('../../../../', import.meta.url));
const examples = join(repository, 'examples');

type Scores = { psnr: number; ssim: number };
interface Reference {
  /** Generators that come with fourfold, below examples/. */
  models: string[];
  cases: {
    photograph: string;
    region: [number, number, number, number];
    scores: Record<string, Scores & { lpips: Record<LpipsChoice, number> }>;
  }[];
}
interface Evaluation {
  lpips?: { network: string };
  sets: { subjects: { pictures: ({ picture: string; lpips?: number } & Scores)[]; mean: Scores }[] }[];
}

const path = join(repository, 'test', 'evaluation-reference', 'expected.json');
const reference = JSON.parse(await readFile(path, 'utf8')) as Reference;
const nameOf = ({ photograph }: Reference['cases'][number]) => `${basename(photograph, extname(photograph))}.png`;
const cases = [...reference.cases].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
const subjects = ['bicubic', 'lanczos', ...reference.models];

/** The crops of the reference as files of a folder. */
async function writeCrops(folder: string): Promise<void> {
  for (const one of cases) {
    const [left, top, width, height] = one.region;
    await sharp(join(examples, 'photographs', one.photograph))
      .extract({ left, top, width, height })
      .png()
      .toFile(join(folder, nameOf(one)));
  }
}

/** `fourfold evaluate` of bicubic, Lanczos and `models` on the crops. */
async function evaluate(models: readonly string[], ...args: string[]): Promise<Evaluation> {
  return inFolder(async (folder) => {
    await writeCrops(folder);
    const checkpoints = models.flatMap((name) => ['--checkpoint', join(examples, name, 'checkpoint')]);
    const chosen = ['--method', 'bicubic', '--method', 'lanczos', ...checkpoints, ...args];
    const { exitCode, stdout, stderr } = await fourfold(folder, 'evaluate', '--images', '.', '--json', ...chosen);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    return JSON.parse(stdout) as Evaluation;
  });
}

/** Whether this machine has the weights of LPIPS. */
const hasWeights = (network: LpipsChoice): Promise<boolean> =>
  readLpipsFile(lpipsNetworks[network]).then(
    () => true,
    () => false,
  );
const [hasAlex, hasVgg] = [await hasWeights('alex'), await hasWeights('vgg')];

/** All subjects, with LPIPS by AlexNet where its weights are: the tests share it, since the generators take their time. */
let evaluation: Evaluation;
beforeAll(async () => {
  evaluation = await evaluate(reference.models, ...(hasAlex ? ['--lpips', 'alex'] : []));
});

test('bicubic, Lanczos and shipped generators have the scores of independent implementations', () => {
  const [{ subjects: measured }] = evaluation.sets;
  for (const [i, name] of subjects.entries()) {
    const { pictures, mean } = measured[i];
    expect(pictures.map(({ picture }) => picture)).toEqual(cases.map(nameOf));
    for (const [j, { scores }] of cases.entries())
      expectEqual(`${name} on ${nameOf(cases[j])}`, pictures[j], scores[name]);
    const expected = cases.map(({ scores }) => scores[name]);
    const meanOf = (score: keyof Scores) => expected.reduce((sum, one) => sum + one[score], 0) / expected.length;
    expectEqual(`${name}, mean`, mean, { psnr: meanOf('psnr'), ssim: meanOf('ssim') });
  }
});

describe('LPIPS by ImageNet’s weights equals PyTorch’s (after fourfold vgg fetch)', () => {
  test.skipIf(lacks('lpips', hasAlex))('AlexNet', () => expectLpips(evaluation, 'alex', subjects));
  // Slower: on what needs no generator.
  test.skipIf(lacks('lpips', hasVgg))('VGG16', async () => {
    expectLpips(await evaluate([], '--lpips', 'vgg'), 'vgg', subjects.slice(0, 2));
  });
});

/** Equal within 1e-4. */
function expectLpips({ lpips, sets }: Evaluation, network: LpipsChoice, names: readonly string[]): void {
  expect(lpips).toEqual({ network, version: '0.1' });
  for (const [i, name] of names.entries()) {
    for (const [j, { scores }] of cases.entries()) {
      const difference = (sets[0].subjects[i].pictures[j].lpips ?? NaN) - scores[name].lpips[network];
      expect(Math.abs(difference), `LPIPS of ${name} on ${nameOf(cases[j])}`).toBeLessThanOrEqual(1e-4);
    }
  }
}

/** Equal within 0.001 dB of PSNR and 0.0001 of SSIM. */
function expectEqual(what: string, measured: Scores, expected: Scores): void {
  expect(Math.abs(measured.psnr - expected.psnr), `PSNR of ${what}`).toBeLessThanOrEqual(1e-3);
  expect(Math.abs(measured.ssim - expected.ssim), `SSIM of ${what}`).toBeLessThanOrEqual(1e-4);
}
