import { contentFeatures, sha256 } from '@fourfold/common';
import { expect, test } from 'vitest';
import { initialVector } from './initial-parameters.js';
import { contentLayout, convolutionsUpTo, featureLayout, featureNetworks } from './feature-networks.js';
import { discriminatorLayout } from './discriminator-layout.js';
import { generatorLayout } from './layout.js';

const paper = {
  generator: generatorLayout({ channels: 64, blocks: 16 }),
  discriminator: discriminatorLayout({ channels: 64, head: 'dense', dense: 1024 }, 96),
};

test('the paper’s networks have the known numbers of parameters', () => {
  expect(paper.generator.parameterCount).toBe(1_548_547);
  expect(paper.generator.statisticCount).toBe(33 * 2 * 64);
  expect(paper.discriminator.parameterCount).toBe(23_563_649);
  expect(paper.discriminator.statisticCount).toBe(0);
  expect(featureLayout('vgg19').length).toBe(20_024_384);
  expect(featureLayout('vgg19', convolutionsUpTo(featureNetworks.vgg19, ['conv2_2'])).length).toBe(260_160);
  expect(featureLayout('vgg16').length).toBe(14_714_688);
  expect(featureLayout('alexnet').length).toBe(2_469_696);
});

test('LPIPS by its first layers needs the convolutions and the heads up to them', () => {
  const { tensors } = contentLayout(contentFeatures({ content: 'lpips', lpipsLayers: 3 })!);
  const heads = tensors.filter(({ name }) => name.startsWith('lpips'));
  expect(heads.map(({ name, shape }) => [name, shape])).toEqual([
    ['lpips1/filter', [1, 1, 64, 1]],
    ['lpips2/filter', [1, 1, 128, 1]],
    ['lpips3/filter', [1, 1, 256, 1]],
  ]);
  expect(tensors.at(-heads.length - 1)?.name).toBe('conv3_3/bias');
});

test('a patch head makes the discriminator independent of the crop', () => {
  const config = { channels: 32, head: 'patch', dense: 1024 } as const;
  const layout = discriminatorLayout(config, 96);
  expect(discriminatorLayout(config, 128)).toEqual(layout);
  expect(layout.tensors.at(-1)?.name).toBe('logits/bias');
  expect(layout.parameterCount).toBe(1_784_769);
});

test('a discriminator of features has three convolutions for each layer', () => {
  const features = ['conv1_2', 'conv4_3'];
  const layout = discriminatorLayout({ channels: 64, head: 'features', dense: 1024, features }, 96);
  expect(layout.tensors.filter(({ name }) => name.endsWith('filter')).map(({ name, shape }) => [name, shape])).toEqual([
    ['conv1_2/conv1/filter', [1, 1, 64, 64]],
    ['conv1_2/conv2/filter', [3, 3, 64, 64]],
    ['conv1_2/logits/filter', [3, 3, 64, 1]],
    ['conv4_3/conv1/filter', [1, 1, 512, 64]],
    ['conv4_3/conv2/filter', [3, 3, 64, 64]],
    ['conv4_3/logits/filter', [3, 3, 64, 1]],
  ]);
});

test.each(Object.values(paper))('$network: tensors are contiguous, parameters first, under unique names', (layout) => {
  let end = 0;
  for (const { offset, sizeElements, shape, kind } of layout.tensors) {
    expect(offset).toBe(end);
    expect(sizeElements).toBe(shape.reduce((product, side) => product * side, 1));
    expect(kind).toBe(offset < layout.parameterCount ? 'parameter' : 'statistic');
    end += sizeElements;
  }
  expect(end).toBe(layout.length);
  expect(layout.length).toBe(layout.parameterCount + layout.statisticCount);
  expect(new Set(layout.tensors.map(({ name }) => name)).size).toBe(layout.tensors.length);
});

const bytes = ({ buffer }: Float32Array<ArrayBuffer>) => new Uint8Array(buffer);

test('initial weights never change by a bit', () => {
  const small = initialVector(generatorLayout({ channels: 8, blocks: 2 }), 7);
  expect(sha256(bytes(small))).toBe('a3af00909e04ed25dd86053b056a1541fbb6daf6b97f5ee102a622580d58d148');
  const discriminator = initialVector(discriminatorLayout({ channels: 4, head: 'dense', dense: 16 }, 32), 7);
  expect(sha256(bytes(discriminator))).toBe('ef9914f743d48f55bebae53f4bf7552e2584039b924a4abe0de7920ee7b79126');
});

test('initial weights depend only on seed and name, and stay within their bounds', () => {
  const [shallow, deep] = [1, 3].map((blocks) => generatorLayout({ channels: 8, blocks }));
  const [first, second] = [initialVector(shallow, 3), initialVector(deep, 3)];
  const of = (layout: typeof shallow, vector: Float32Array, wanted: string) => {
    const { offset, sizeElements } = layout.tensors.find(({ name }) => name === wanted)!;
    return vector.subarray(offset, offset + sizeElements);
  };
  expect(of(shallow, first, 'tail/conv/filter')).toEqual(of(deep, second, 'tail/conv/filter'));
  expect(of(shallow, initialVector(shallow, 4), 'tail/conv/filter')).not.toEqual(of(deep, second, 'tail/conv/filter'));
  const filter = of(shallow, first, 'tail/conv/filter');
  const bound = 1 / Math.sqrt(9 * 9 * 8);
  expect(Math.max(...filter)).toBeLessThanOrEqual(bound);
  expect(Math.min(...filter)).toBeGreaterThanOrEqual(-bound);
  expect(filter.reduce((sum, x) => sum + x ** 2, 0) / filter.length / (bound ** 2 / 3)).toBeCloseTo(1, 1);
  expect(new Set(of(shallow, first, 'head/prelu/slope'))).toEqual(new Set([0.25]));
  expect(new Set(of(shallow, first, 'block1/bn1/gamma'))).toEqual(new Set([1]));
  expect(new Set(of(shallow, first, 'block1/bn1/mean'))).toEqual(new Set([0]));
  expect(new Set(of(shallow, first, 'block1/bn1/variance'))).toEqual(new Set([1]));
});
