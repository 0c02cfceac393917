import { lpipsFeatureScale, lpipsVggLayers, paperFeatureScale, paperLayers } from './paper-features.js';
import type { FeaturesConfig, LossConfig } from './schema.js';

/** The features that a content loss compares, by their depth, and how. */
export interface ContentFeatures extends Omit<FeaturesConfig, 'distance'> {
  /** `lpips`: squared differences of unit-length features, weighted by the heads in the file of weights. */
  distance: FeaturesConfig['distance'] | 'lpips';
}

/** What decides which features a content loss compares. */
export type ContentConfig = Pick<LossConfig, 'content' | 'features'> & Partial<Pick<LossConfig, 'lpipsLayers'>>;

/** The features of a content loss; undefined for one of pixels alone. */
export function contentFeatures({ content, features, lpipsLayers }: ContentConfig): ContentFeatures | undefined {
  if (content === 'mse') return undefined;
  if (content === 'features') return features && { ...features, layers: features.layers.toSorted(byDepth) };
  if (content === 'lpips') {
    const layers = lpipsVggLayers
      .slice(0, lpipsLayers)
      .map((layer) => ({ layer, relu: 'after' as const, scale: lpipsFeatureScale, weight: 1 }));
    return { network: 'vgg16', layers, distance: 'lpips' };
  }
  const layer = { layer: paperLayers[content], relu: 'after' as const, scale: paperFeatureScale, weight: 1 };
  return { network: 'vgg19', layers: [layer], distance: 'squared' };
}

/** Before the ReLU comes before after it. */
const depthOf = ({ layer, relu }: FeaturesConfig['layers'][number]) => `${layer} ${relu === 'before' ? 0 : 1}`;
const byDepth = (...[a, b]: FeaturesConfig['layers']) => (depthOf(a) < depthOf(b) ? -1 : 1);

/** Side of the windows of 16 pixels in which the spread of a layer's features is measured: VGG pools by 2 between its groups. */
export const spreadWindow = (layer: string): number => 16 / 2 ** (Number(layer.charAt('conv'.length)) - 1);
