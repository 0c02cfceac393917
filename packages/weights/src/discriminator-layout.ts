import type { DiscriminatorConfig } from '@fourfold/common';
import { vggWidth } from './feature-networks.js';
import { batchNorm, convolution, dense, place, type Layout } from './layout.js';

/** Output channels, strides and sides of the filters of the discriminator's eight convolutions. */
export function discriminatorStages({
  channels,
  head,
}: DiscriminatorConfig): { outputs: number; stride: 1 | 2; side: number }[] {
  return [1, 2, 4, 8].flatMap((factor) => [
    { outputs: factor * channels, stride: 1 as const, side: 3 },
    { outputs: factor * channels, stride: 2 as const, side: head === 'patch' ? 4 : 3 },
  ]);
}

/**
 * The discriminator's tensors for HR crops of `crop` x `crop` pixels, a multiple of 16: 23,563,649 parameters with 64
 * channels, a dense width of 1024 and a crop of 96. Only dense layers depend on the crop. It keeps no statistics.
 * With a `features` head it has three convolutions for each layer that it sees, 1 x 1, 3 x 3 and 3 x 3.
 */
export function discriminatorLayout(config: DiscriminatorConfig, crop: number): Layout {
  if (config.head === 'features') return place('discriminator', featureHeads(config));
  const stages = discriminatorStages(config);
  const { outputs } = stages[7];
  const flat = (crop / 16) * (crop / 16) * outputs;
  const head =
    config.head === 'patch'
      ? convolution('logits', 3, outputs, 1, 'bias')
      : [...dense('dense1', flat, config.dense), ...dense('dense2', config.dense, 1)];
  const entries = [
    ...stages.flatMap(({ outputs, side }, i) => [
      ...convolution(`conv${i + 1}`, side, i === 0 ? 3 : stages[i - 1].outputs, outputs, i === 0 ? 'bias' : 'no bias'),
      ...(i === 0 ? [] : batchNorm(`bn${i + 1}`, outputs, 'batch only')),
    ]),
    ...head,
  ];
  return place('discriminator', entries);
}

/** The tensors of the small networks on the layers of features. */
const featureHeads = ({ features = [], channels }: DiscriminatorConfig) =>
  features.flatMap((layer) => [
    ...convolution(`${layer}/conv1`, 1, vggWidth(layer), channels, 'bias'),
    ...convolution(`${layer}/conv2`, 3, channels, channels, 'bias'),
    ...convolution(`${layer}/logits`, 3, channels, 1, 'bias'),
  ]);
