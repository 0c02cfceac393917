import { availableParallelism } from 'node:os';
import type { Picture } from '@fourfold/imaging';
import {
  createGenerator,
  selectBackend,
  tileOverlap,
  uploadParameters,
  upscalePicture,
  type BackendInfo,
} from '@fourfold/model';
import type { GeneratorWeights } from '@fourfold/store';
import type { BackendChoice } from '../commands/arguments.js';

/** A generator on this thread's backend, where it stays until the process ends. */
export interface Upscaler {
  /** Pixels around a tile that it must see, so that no seam shows. */
  overlap: number;
  /** Upscale an LR picture to 4 times its width and height, `tile` LR pixels a side at a time; blocks the thread. */
  upscale: (lr: Picture, tile: number) => Picture;
}

/** Start a backend in this thread, with all of the machine's cores. Throws `invalid` if it is not available. */
export const startBackend = (choice: BackendChoice): Promise<BackendInfo> =>
  selectBackend({ backend: choice, device: 'auto', precision: 'f32', threads: availableParallelism() });

/** Put a generator on the backend that was started. */
export function createUpscaler({ config, layout, vector }: GeneratorWeights): Upscaler {
  const network = { layer: createGenerator(config, 'inference'), parameters: uploadParameters(layout, vector) };
  const overlap = tileOverlap(config);
  return { overlap, upscale: (lr, tile) => upscalePicture(network, lr, { tile, overlap }) };
}
