import { contentFeatures, type RunConfig } from '@fourfold/common';
import { readFeatureFile } from '@fourfold/store';
import { contentLayout, featureWeights } from '@fourfold/weights';

/**
 * The file of a feature network's weights that a config names, if its content loss needs it. Its content is checked. Throws `not-found`, `invalid`
 * for one that does not hold them, and `corrupt` if its name says another SHA-256.
 */
export async function readVggFile({ vgg, loss }: Pick<RunConfig, 'vgg' | 'loss'>): Promise<Buffer | undefined> {
  const features = contentFeatures(loss);
  if (vgg === undefined || !features) return undefined;
  const bytes = await readFeatureFile(vgg);
  featureWeights(contentLayout(features), bytes, vgg);
  return bytes;
}
