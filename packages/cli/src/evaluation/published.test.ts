import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadRunConfig, type RunConfig } from '@fourfold/common';
import { expect, test } from 'vitest';
import { inFolder } from '../test-support.js';
import { describeSets } from './describe-sets.js';
import type { SubjectScores } from './evaluate-sets.js';
import { publishedResults } from './published.js';
import { variantOf } from './variant.js';

const withRecipe = <T>(recipe: string, use: (config: RunConfig) => T): Promise<T> =>
  inFolder(async (folder) => {
    const path = join(folder, 'config.yaml');
    await writeFile(path, JSON.stringify({ recipe, name: 'run', dataset: 'none', vgg: 'vgg' }));
    return use(await loadRunConfig(path));
  });

test('each recipe ends as the variant of its name, which the paper measured on Set5 and Set14', async () => {
  for (const recipe of ['srresnet-mse', 'srresnet-vgg22', 'srgan-mse', 'srgan-vgg22', 'srgan-vgg54']) {
    const { last, first } = await withRecipe(recipe, (config) => ({
      last: variantOf(
        config,
        config.phases.reduce((sum, { iterations }) => sum + iterations, 0),
      ),
      first: variantOf(config, 1e6),
    }));
    expect(last?.toLowerCase()).toBe(recipe);
    expect(first).toBe('SRResNet-MSE');
    for (const set of ['Set5', 'Set14']) expect(publishedResults[set].map(({ method }) => method)).toContain(last);
  }
});

test('a generator is an SRGAN from the first iteration of a gan phase on; beyond the schedule nothing changes', async () => {
  const variants = await withRecipe('srgan-vgg54', (config) =>
    [0, 1_000_000, 1_000_001, 1_100_001, 9_000_000].map((iteration) => variantOf(config, iteration)),
  );
  expect(variants).toEqual(['SRResNet-MSE', 'SRResNet-MSE', 'SRGAN-VGG54', 'SRGAN-VGG54', 'SRGAN-VGG54']);
  expect(variantOf({ phases: [] }, 1)).toBeUndefined();
});

test('checkpoints are shown beside their variants, several of one variant in a row each, others below', () => {
  const subject = (name: string, psnr: number, variant?: string): SubjectScores => {
    const scores = { psnr, ssim: 0.5 };
    return { name, variant, facts: {}, pictures: [{ picture: 'a.png', ...scores }], mean: scores, identical: 0 };
  };
  const subjects = [
    subject('bicubic', 20),
    subject('lanczos', 21),
    subject('young at 10', 22, 'SRGAN-MSE'),
    subject('old at 90', 23, 'SRGAN-MSE'),
    subject('odd at 5', 24, 'SRResNet-VGG54'),
  ];
  const sets = [{ set: 'Set14', images: '', subjects, published: publishedResults['Set14'], left: [], damaged: [] }];
  const csv = describeSets(sets, 'csv');
  expect(csv).toMatch(/^set,picture,method,psnr_db,ssim,source\nSet14,a\.png,bicubic,20,0\.5,measured\n/);
  expect(csv).toContain('\nSet14,mean,SRGAN-MSE,26.92,0.7611,"Ledig et al. 2017, tables 1 and 2"\n');
  const markdown = describeSets(sets, 'markdown');
  expect(markdown).toMatch(
    /^\| picture \| bicubic dB \| SSIM \| .*\n\| --- \| ---: \| ---: \| .*\n\| a\.png \| 20\.00 \|/,
  );
  expect(markdown.split('\n\n')[1].split('\n')).toEqual([
    '| Set14 | PSNR dB | SSIM | Ledig et al. 2017, tables 1 and 2: PSNR dB | SSIM | MOS |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    '| nearest |  |  | 24.64 | 0.7100 | 1.20 |',
    '| bicubic | 20.00 | 0.5000 | 25.99 | 0.7486 | 1.80 |',
    '| SRCNN |  |  | 27.18 | 0.7861 | 2.26 |',
    '| SelfExSR |  |  | 27.45 | 0.7972 | 2.34 |',
    '| DRCN |  |  | 28.02 | 0.8074 | 2.84 |',
    '| ESPCN |  |  | 27.66 | 0.8004 | 2.52 |',
    '| SRResNet-MSE |  |  | 28.49 | 0.8184 | 2.98 |',
    '| SRResNet-VGG22 |  |  | 27.19 | 0.7807 | 3.15 |',
    '| young at 10 (SRGAN-MSE) | 22.00 | 0.5000 | 26.92 | 0.7611 | 3.43 |',
    '| old at 90 (SRGAN-MSE) | 23.00 | 0.5000 | 26.92 | 0.7611 | 3.43 |',
    '| SRGAN-VGG22 |  |  | 26.44 | 0.7518 | 3.57 |',
    '| SRGAN-VGG54 |  |  | 26.02 | 0.7397 | 3.72 |',
    '| lanczos | 21.00 | 0.5000 |  |  |  |',
    '| odd at 5 | 24.00 | 0.5000 |  |  |  |',
  ]);
});
