import type { Picture, Rectangle } from '@fourfold/common/basics';
import type { GeneratorWeights } from '@fourfold/weights';
import { createGeneratorParts } from '../networks/networks.js';
import { disposeTensors, uploadParameters } from '../networks/transfer.js';
import { upscaleInParts } from './parts.js';
import { paste, roomFor } from './pixels.js';
import { squares, tileOverlap, type Border } from './surroundings.js';

/** A generator on this thread's backend, ready to upscale. Its methods block the thread, step by step. */
export interface Upscaler {
  /** Upscale a picture to 4 times its width and height, `tile` pixels of it a side at a time. */
  upscale: (picture: Picture, tile: number) => Promise<Picture>;
  /**
   * The same with pauses, some seconds of work apart at most. It yields the work done since the last pause, in LR pixels: in all as many
   * as the picture has.
   */
  steps: (picture: Picture, tile: number) => AsyncGenerator<number, Picture>;
  /** Upscale a region of a picture, with such pauses. Regions that are put together show no seam. */
  regionSteps: (picture: Picture, region: Rectangle) => AsyncGenerator<number, Picture>;
  /** Free the generator's tensors. */
  dispose: () => void;
}

/** Put a generator on the backend that was selected. */
export function createUpscaler({ config, layout, vector }: GeneratorWeights, border: Border): Upscaler {
  const network = { parts: createGeneratorParts(config, 'inference'), parameters: uploadParameters(layout, vector) };
  const overlap = tileOverlap(config);
  const regionSteps = (picture: Picture, region: Rectangle) =>
    upscaleInParts(network, picture, region, overlap, border);
  async function* steps(picture: Picture, tile: number): AsyncGenerator<number, Picture> {
    const { width, height } = picture;
    const result = roomFor(picture);
    for (const region of squares({ left: 0, top: 0, width, height }, tile)) {
      paste(yield* regionSteps(picture, region), result, 4 * region.left, 4 * region.top);
    }
    return result;
  }
  return {
    upscale: (picture, tile) => resultOf(steps(picture, tile)),
    ...{ steps, regionSteps },
    dispose: () => disposeTensors(network.parameters),
  };
}

/** Run all steps, without a pause. */
export async function resultOf<T>(steps: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return value;
  }
}
