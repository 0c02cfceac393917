import type { Picture } from '@fourfold/common/basics';
import { randomStream, type GeneratorConfig } from '@fourfold/common';
import { generatorLayout, initialVector } from '@fourfold/weights';
import { createGenerator, type Network } from '../networks/networks.js';
import { disposeTensors, downloadVector, packGradients, uploadLr, uploadParameters } from '../networks/transfer.js';
import { runGenerator } from '../training/steps.js';

/** A generator with weights of a seed. */
export function createNetwork(config: GeneratorConfig): Network {
  const layout = generatorLayout(config);
  return {
    layer: createGenerator(config, 'inference'),
    parameters: uploadParameters(layout, initialVector(layout, 1)),
  };
}

/** Give a network the batch statistics of a picture, as training would. */
export function calibrate(network: Network, config: GeneratorConfig, { data, width, height }: Picture): void {
  const lr = uploadLr(data, [1, height, width, 3]);
  const pass = runGenerator({ ...network, layer: createGenerator(config, 'training') }, lr);
  const results = pass.pullback(pass.sr);
  lr.dispose();
  for (const [name, tensor] of results) {
    if (!/[/](mean|variance)$/.test(name)) continue;
    network.parameters.get(name)!.dispose();
    network.parameters.set(name, tensor);
    results.delete(name);
  }
  disposeTensors(results);
}

/** A network's parameters as a checkpoint has them. */
export async function weightsOf(network: Network, config: GeneratorConfig) {
  const layout = generatorLayout(config);
  const packed = packGradients(layout, network.parameters);
  const vector = new Float32Array(layout.length);
  await downloadVector(packed, vector);
  packed.dispose();
  return { config, layout, vector };
}

/** A picture of noise. */
export function noise(width: number, height: number): Picture {
  const random = randomStream('picture', width, height);
  return { data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)), width, height };
}

/** The largest difference of a value of two pictures, in grey levels. */
export const largestDifference = (a: Picture, b: Picture): number =>
  a.data.reduce((largest, level, i) => Math.max(largest, Math.abs(level - b.data[i])), 0);
