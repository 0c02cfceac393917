import { join } from 'node:path';
import { cacheFolder, folderUrl, FourfoldError, sha256 } from '@fourfold/common';
import { featureNetworkNames, featureWeights, lpipsLayout, type LpipsNetwork } from '@fourfold/weights';
import { openStore } from './object-store.js';

/*
 * Files of feature networks' weights, as `fourfold vgg` writes them: `NETWORK-SHA256.safetensors`.
 */

/** Where `fourfold vgg fetch` puts weights unless told otherwise. */
export const featureFolder = (): string => join(cacheFolder(), 'weights');

/** A file of weights. Throws `not-found`, and `corrupt` if its name says another SHA-256. */
export async function readFeatureFile(url: string): Promise<Buffer> {
  const cut = url.lastIndexOf('/');
  const bytes = await openStore(url.slice(0, cut)).get(url.slice(cut + 1));
  const hash = /([0-9a-f]{64})\.[a-z]+$/.exec(url)?.[1];
  if (hash && sha256(bytes) !== hash) throw new FourfoldError('corrupt', `${url} is damaged: its SHA-256 differs`);
  return bytes;
}

/**
 * The weights of LPIPS for a network: those of a file, or of a folder that `fourfold vgg fetch` has filled. Throws `not-found`, `invalid`
 * for a file without them, `corrupt`.
 */
export async function readLpipsFile(
  network: LpipsNetwork,
  place = folderUrl(featureFolder()),
): Promise<{ bytes: Buffer; url: string }> {
  const urls = place.endsWith('.safetensors') ? [place] : await filesOf(network, place);
  let refusal: Error | undefined;
  for (const url of urls) {
    const bytes = await readFeatureFile(url);
    try {
      featureWeights(lpipsLayout(network), bytes, url);
      return { bytes, url };
    } catch (error) {
      refusal = error as Error;
    }
  }
  if (refusal) throw refusal;
  const hint = 'fetch them with fourfold vgg fetch, or name another place';
  throw new FourfoldError('not-found', `${place} has no weights of ${featureNetworkNames[network]} for LPIPS`, {
    hint,
  });
}

async function filesOf(network: LpipsNetwork, folder: string): Promise<string[]> {
  const store = openStore(folder);
  const name = new RegExp(`^${network}-[0-9a-f]{64}\\.safetensors$`);
  return (await store.list(network)).filter(({ key }) => name.test(key)).map(({ key }) => `${store.url}/${key}`);
}
