import { contentFeatures, sha256, type RunConfig } from '@fourfold/common';
import { readFeatureFile, readLpipsFile } from '@fourfold/store';
import { contentLayout, featureWeights, lpipsLayout, lpipsNetworks, type Layout } from '@fourfold/weights';

/** A file of a feature network's weights, whose content was checked. */
export interface FeatureFile {
  bytes: Buffer;
  /** The beginning of a SHA-256 of the weights, which is the same in each form of file. */
  hash: string;
}

/**
 * The file that a config names for its content loss, if that compares features. Throws `not-found`, `invalid` for one that does not hold
 * them, and `corrupt` if its name says another SHA-256.
 */
export async function readContentFile({
  vgg,
  loss,
}: Pick<RunConfig, 'vgg' | 'loss'>): Promise<FeatureFile | undefined> {
  const features = contentFeatures(loss);
  if (vgg === undefined || !features) return undefined;
  return checked(contentLayout(features), await readFeatureFile(vgg), vgg);
}

/** The weights of LPIPS, if the validation measures it. Throws what `readContentFile` does. */
export async function readMeasureFile({ validation }: Pick<RunConfig, 'validation'>): Promise<FeatureFile | undefined> {
  if (!validation?.lpips) return undefined;
  const network = lpipsNetworks[validation.lpips];
  const { bytes, url } = await readLpipsFile(network, validation.lpipsWeights);
  return checked(lpipsLayout(network), bytes, url);
}

function checked(layout: Layout, bytes: Buffer, what: string): FeatureFile {
  const { vector, preprocessing } = featureWeights(layout, bytes, what);
  const ofVector = sha256(new Uint8Array(vector.buffer));
  return { bytes, hash: sha256(`${preprocessing} ${ofVector}`).slice(0, 12) };
}
