import type { RunConfig } from '@fourfold/common';
import { FourfoldError, sha256 } from '@fourfold/common/basics';
import { openStore } from '@fourfold/store';
import { vggWeights } from '@fourfold/weights';

/**
 * The file of VGG19's weights that a config names, if its content loss needs it. Its content is checked. Throws `not-found`, `invalid`
 * for one that does not hold them, and `corrupt` if its name says another SHA-256.
 */
export async function readVggFile({ vgg, loss }: Pick<RunConfig, 'vgg' | 'loss'>): Promise<Buffer | undefined> {
  if (vgg === undefined || loss.content === 'mse') return undefined;
  const cut = vgg.lastIndexOf('/');
  const bytes = await openStore(vgg.slice(0, cut)).get(vgg.slice(cut + 1));
  const hash = /([0-9a-f]{64})\.[a-z]+$/.exec(vgg)?.[1];
  if (hash && sha256(bytes) !== hash) throw new FourfoldError('corrupt', `${vgg} is damaged: its SHA-256 differs`);
  vggWeights(loss.content, bytes, vgg);
  return bytes;
}
