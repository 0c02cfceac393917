import type { ContentFeatures } from '@fourfold/common/basics';
import { contentConvolutions, contentLayout, featureWeights } from '@fourfold/weights';
import { createFeatures, type FeatureExtractor } from './features.js';
import { uploadParameters } from './transfer.js';

/** The network of a content loss, from a file of its weights; `what` names the file in errors. Throws `invalid`, `corrupt`. */
export function createContentFeatures(features: ContentFeatures, bytes: Uint8Array, what: string): FeatureExtractor {
  const layout = contentLayout(features);
  const { vector, preprocessing } = featureWeights(layout, bytes, what);
  return {
    features: createFeatures(contentConvolutions(features), features.layers, preprocessing),
    parameters: uploadParameters(layout, vector),
  };
}
