import { absoluteStoreUrl } from '@fourfold/common';
import { readLpipsFile } from '@fourfold/store';
import type { Picture } from '@fourfold/imaging';
import { lpipsNetworks } from '@fourfold/weights';
import type { LpipsChoice } from './choices.js';
import type { BackendChoice } from '../commands/arguments.js';

/** Measures LPIPS of two pictures of one size. */
export type MeasureLpips = (hr: Picture, sr: Picture) => number;

/** LPIPS on a backend of this thread, with weights from a file or a folder. Throws `not-found`, `invalid`, `corrupt`. */
export async function openLpips(
  choice: LpipsChoice,
  place: string | undefined,
  backend: BackendChoice,
): Promise<MeasureLpips> {
  const network = lpipsNetworks[choice];
  const { bytes, url } = await readLpipsFile(network, place && absoluteStoreUrl(place));
  const { createLpips, resultOf } = await import('@fourfold/model');
  const { startBackend } = await import('../upscaling/generator.js');
  await startBackend(backend);
  const lpips = createLpips(network, bytes, url);
  return (hr, sr) => resultOf(lpips.measure(hr, sr));
}
