import { absoluteStoreUrl, type LpipsChoice } from '@fourfold/common';
import { readLpipsFile } from '@fourfold/store';
import type { Picture } from '@fourfold/imaging';
import { lpipsNetworks } from '@fourfold/weights';
import type { BackendChoice } from '../commands/arguments.js';
import { resultWithPauses } from '../pauses.js';

/** LPIPS by one network. */
export interface LpipsMeasure {
  network: LpipsChoice;
  /** LPIPS of two pictures of one size. Rejects with the signal's reason between two parts of them. */
  measure: (hr: Picture, sr: Picture, signal: AbortSignal) => Promise<number>;
}

/** Which LPIPS was measured, for JSON. */
export const lpipsFacts = (network: LpipsChoice) => ({ network, version: '0.1' });

/** LPIPS on a backend of this thread, with weights from a file or a folder. Throws `not-found`, `invalid`, `corrupt`. */
export async function openLpips(
  choice: LpipsChoice,
  place: string | undefined,
  backend: BackendChoice,
): Promise<LpipsMeasure> {
  const network = lpipsNetworks[choice];
  const { bytes, url } = await readLpipsFile(network, place && absoluteStoreUrl(place));
  const { createLpips } = await import('@fourfold/model');
  const { startBackend } = await import('../upscaling/generator.js');
  await startBackend(backend);
  const lpips = createLpips(network, bytes, url);
  return { network: choice, measure: (hr, sr, signal) => resultWithPauses(lpips.measure(hr, sr), signal) };
}
