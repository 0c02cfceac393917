import { contentFeatures, type RunConfig } from '@fourfold/common';
import { FourfoldError, sha256 } from '@fourfold/common/basics';
import { openStore } from '@fourfold/store';
import { contentLayout, featureWeights } from '@fourfold/weights';

/**
 * The file of a feature network's weights that a config names, if its content loss needs it. Its content is checked. Throws `not-found`, `invalid`
 * for one that does not hold them, and `corrupt` if its name says another SHA-256.
 */
export async function readVggFile({ vgg, loss }: Pick<RunConfig, 'vgg' | 'loss'>): Promise<Buffer | undefined> {
  const features = contentFeatures(loss);
  if (vgg === undefined || !features) return undefined;
  const cut = vgg.lastIndexOf('/');
  const bytes = await openStore(vgg.slice(0, cut)).get(vgg.slice(cut + 1));
  const hash = /([0-9a-f]{64})\.[a-z]+$/.exec(vgg)?.[1];
  if (hash && sha256(bytes) !== hash) throw new FourfoldError('corrupt', `${vgg} is damaged: its SHA-256 differs`);
  featureWeights(contentLayout(features), bytes, vgg);
  return bytes;
}
