import { FourfoldError, lpipsVggLayers, type ContentFeatures, type Picture } from '@fourfold/common/basics';
import { convolution, parameter, place, uniform, type FeatureNetwork, type Layout } from './layout.js';

/*
 * The networks whose features content losses and LPIPS compare, up to their last convolution: VGG16 and VGG19 (Simonyan and
 * Zisserman 2015, table 1, D and E), and AlexNet as torchvision has it (Krizhevsky 2014).
 */

/** A convolution with a bias, followed by a ReLU. */
export interface FeatureConvolution {
  /** `conv3_2` in a VGG network, `conv3` in AlexNet. */
  name: string;
  side: number;
  inputs: number;
  outputs: number;
  stride: number;
  /** Zeros on each side. */
  padding: number;
  /** Side of the maximum pooling before it, whose stride is 2; 0 for none. */
  pooling: 0 | 2 | 3;
}

/** The convolutions of a VGG network with groups of these numbers and widths; tests have narrow ones. */
export function vggConvolutions(groups: readonly { convolutions: number; width: number }[]): FeatureConvolution[] {
  let inputs = 3;
  return groups.flatMap(({ convolutions, width }, group) =>
    Array.from({ length: convolutions }, (_, i): FeatureConvolution => {
      const name = `conv${group + 1}_${i + 1}`;
      const before = inputs;
      inputs = width;
      const pooling = group > 0 && i === 0 ? 2 : 0;
      return { name, side: 3, inputs: before, outputs: width, stride: 1, padding: 1, pooling };
    }),
  );
}

const vggWidths = [64, 128, 256, 512, 512];

/** How many channels a convolution such as `conv3_2` of VGG16 or VGG19 has. */
export const vggWidth = (layer: string): number => vggWidths[Number(layer.charAt('conv'.length)) - 1];

const vgg = (...counts: number[]) =>
  vggConvolutions(counts.map((convolutions, i) => ({ convolutions, width: vggWidths[i] })));

export const featureNetworks: Record<FeatureNetwork, FeatureConvolution[]> = {
  vgg16: vgg(2, 2, 3, 3, 3),
  vgg19: vgg(2, 2, 4, 4, 4),
  alexnet: [
    { name: 'conv1', side: 11, inputs: 3, outputs: 64, stride: 4, padding: 2, pooling: 0 },
    { name: 'conv2', side: 5, inputs: 64, outputs: 192, stride: 1, padding: 2, pooling: 3 },
    { name: 'conv3', side: 3, inputs: 192, outputs: 384, stride: 1, padding: 1, pooling: 3 },
    { name: 'conv4', side: 3, inputs: 384, outputs: 256, stride: 1, padding: 1, pooling: 0 },
    { name: 'conv5', side: 3, inputs: 256, outputs: 256, stride: 1, padding: 1, pooling: 0 },
  ],
};

/** What a network is called in messages. */
export const featureNetworkNames: Record<FeatureNetwork, string> = {
  vgg16: 'VGG16',
  vgg19: 'VGG19',
  alexnet: 'AlexNet',
};

/** The convolutions up to the deepest of the named ones; all unless some are named. */
export function convolutionsUpTo(convolutions: FeatureConvolution[], names?: readonly string[]): FeatureConvolution[] {
  if (!names) return convolutions;
  return convolutions.slice(0, convolutions.findLastIndex(({ name }) => names.includes(name)) + 1);
}

/** The tensors of a network's convolutions. */
export const featureLayout = (network: FeatureNetwork, convolutions = featureNetworks[network]): Layout =>
  place(
    network,
    convolutions.flatMap(({ name, side, inputs, outputs }) => convolution(name, side, inputs, outputs, 'bias')),
  );

/** The convolutions that a content loss needs. */
export const contentConvolutions = ({ network, layers }: ContentFeatures): FeatureConvolution[] =>
  convolutionsUpTo(
    featureNetworks[network],
    layers.map(({ layer }) => layer),
  );

/** The tensors that a content loss needs. */
export const contentLayout = (features: ContentFeatures): Layout =>
  features.distance === 'lpips'
    ? lpipsLayout('vgg16', contentConvolutions(features))
    : featureLayout(features.network, contentConvolutions(features));

/** The networks that LPIPS is defined for here. */
export type LpipsNetwork = 'alexnet' | 'vgg16';

/** The networks by the names that the authors of LPIPS give them. */
export const lpipsNetworks = { alex: 'alexnet', vgg: 'vgg16' } as const;

/** The convolutions after whose ReLUs LPIPS compares features. */
export const lpipsLayers: Record<LpipsNetwork, string[]> = {
  alexnet: ['conv1', 'conv2', 'conv3', 'conv4', 'conv5'],
  vgg16: lpipsVggLayers,
};

/** Smaller pictures leave nothing of the deepest layer. */
const smallestSides: Record<LpipsNetwork, number> = { alexnet: 32, vgg16: 16 };

/** Throw `invalid` with only the reason for a picture that is too small for LPIPS. */
export function checkLpipsSize(network: LpipsNetwork, { width, height }: Pick<Picture, 'width' | 'height'>): void {
  const smallest = smallestSides[network];
  if (Math.min(width, height) >= smallest) return;
  const sizes = `${width}x${height}, both sides must be at least ${smallest}`;
  throw new FourfoldError('invalid', `too small for LPIPS: ${sizes}`);
}

/** The name of a layer's linear head, a filter of 1 x 1 with one output. */
export const lpipsHead = (index: number): string => `lpips${index + 1}/filter`;

/** A network's convolutions and the heads of LPIPS that come after them; `convolutions` may end earlier, or have other widths in tests. */
export function lpipsLayout(network: LpipsNetwork, convolutions = featureNetworks[network]): Layout {
  const heads = lpipsLayers[network].flatMap((layer, i) => {
    const found = convolutions.find(({ name }) => name === layer);
    return found ? [parameter(lpipsHead(i), [1, 1, found.outputs, 1], uniform(found.outputs))] : [];
  });
  return place(network, [...featureLayout(network, convolutions).tensors, ...heads]);
}

/** Torchvision's name of a tensor: VGG's `conv1_2/filter` is `features.2.weight`; ReLUs and poolings are counted, too. */
export function torchvisionName(network: FeatureNetwork, name: string): string {
  const [layer, part] = name.split('/');
  const upTo = convolutionsUpTo(featureNetworks[network], [layer]);
  const poolings = upTo.filter(({ pooling }) => pooling > 0).length;
  return `features.${2 * (upTo.length - 1) + poolings}.${part === 'bias' ? 'bias' : 'weight'}`;
}
