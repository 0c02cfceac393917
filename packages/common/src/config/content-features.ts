import { lpipsVggLayers, paperFeatureScale, paperLayers } from './paper-features.js';
import type { DiscriminatorConfig, FeaturesConfig, LossConfig } from './schema.js';

/** The features that a content loss compares, by their depth, and how. */
export interface ContentFeatures extends Omit<FeaturesConfig, 'distance'> {
  /** `lpips`: squared differences of unit-length features, weighted by the heads in the file of weights. */
  distance: FeaturesConfig['distance'] | 'lpips';
}

/** The features of a content loss; undefined for one of pixels alone. */
export function contentFeatures({
  content,
  features,
}: Pick<LossConfig, 'content' | 'features'>): ContentFeatures | undefined {
  if (content === 'mse') return undefined;
  if (content === 'features') return features && { ...features, layers: features.layers.toSorted(byDepth) };
  if (content === 'lpips') {
    const layers = lpipsVggLayers.map((layer) => ({ layer, relu: 'after' as const, scale: 1, weight: 1 }));
    return { network: 'vgg16', layers, distance: 'lpips' };
  }
  const layer = { layer: paperLayers[content], relu: 'after' as const, scale: paperFeatureScale, weight: 1 };
  return { network: 'vgg19', layers: [layer], distance: 'squared' };
}

/** Before the ReLU comes before after it. */
const depthOf = ({ layer, relu }: FeaturesConfig['layers'][number]) => `${layer} ${relu === 'before' ? 0 : 1}`;
const byDepth = (...[a, b]: FeaturesConfig['layers']) => (depthOf(a) < depthOf(b) ? -1 : 1);

/** A layer that the network does not have, or that is named twice. */
export function problemOfLayers({ network, layers }: FeaturesConfig): { layer: string; reason: string } | undefined {
  const unknown = layers.find(({ layer }) => !hasLayer(network, layer));
  if (unknown) return { layer: unknown.layer, reason: `${network} does not have it` };
  const isRepeated = ({ layer, relu }: FeaturesConfig['layers'][number], i: number) =>
    layers.findIndex((other) => other.layer === layer && other.relu === relu) !== i;
  const twice = layers.find(isRepeated);
  return twice && { layer: twice.layer, reason: `it is named twice ${twice.relu} the ReLU` };
}

/** VGG16 has two or three convolutions in each of its five groups; VGG19 has two or four. */
function hasLayer(network: FeaturesConfig['network'], layer: string): boolean {
  const [group, convolution] = layer.replace('conv', '').split('_').map(Number);
  return convolution <= (group <= 2 ? 2 : network === 'vgg16' ? 3 : 4);
}

/** What keeps a discriminator from seeing features: undefined for one of pixels, or one whose layers the content loss compares. */
export function problemOfSeen(
  { head, features }: DiscriminatorConfig,
  loss: Pick<LossConfig, 'content' | 'features'>,
): { key: string; found: unknown; reason: string } | undefined {
  if (head !== 'features') {
    return (
      features && { key: 'discriminator.features', found: features, reason: 'it needs discriminator.head: features' }
    );
  }
  if (!features) {
    return { key: 'discriminator.head', found: head, reason: 'it needs discriminator.features, the layers to see' };
  }
  const compared = loss.content === 'features' ? (loss.features?.layers ?? []) : [];
  const wrong = features.find(
    (name, i) => features.indexOf(name) < i || compared.filter(({ layer }) => layer === name).length !== 1,
  );
  const reason = 'each must be named once, and be once among loss.features.layers, with loss.content: features';
  return wrong === undefined ? undefined : { key: 'discriminator.features', found: wrong, reason };
}
