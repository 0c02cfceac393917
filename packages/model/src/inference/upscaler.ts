import type { GeneratorConfig } from '@fourfold/common';
import type { Layout } from '@fourfold/weights';
import { createGenerator } from '../networks/networks.js';
import { disposeTensors, uploadParameters } from '../networks/transfer.js';
import type { Border, Picture, Rectangle } from './surroundings.js';
import { tileOverlap, upscalePicture, upscaleRegion } from './upscale.js';

/** A generator on this thread's backend, ready to upscale. Its methods block the thread. */
export interface Upscaler {
  /** Upscale a picture to 4 times its width and height, `tile` pixels of it a side at a time. */
  upscale: (picture: Picture, tile: number) => Picture;
  /** Upscale a region of a picture, all at once. Regions that are put together show no seam. */
  upscaleRegion: (picture: Picture, region: Rectangle) => Picture;
  /** Free the generator's tensors. */
  dispose: () => void;
}

/** A generator's sizes, and its parameters and statistics in layout order. */
interface GeneratorWeights {
  config: GeneratorConfig;
  layout: Layout;
  vector: Float32Array;
}

/** Put a generator on the backend that was selected. */
export function createUpscaler({ config, layout, vector }: GeneratorWeights, border: Border): Upscaler {
  const network = { layer: createGenerator(config, 'inference'), parameters: uploadParameters(layout, vector) };
  const surroundings = { overlap: tileOverlap(config), border };
  return {
    upscale: (picture, tile) => upscalePicture(network, picture, { tile, ...surroundings }),
    upscaleRegion: (picture, region) => upscaleRegion(network, picture, region, surroundings),
    dispose: () => disposeTensors(network.parameters),
  };
}
