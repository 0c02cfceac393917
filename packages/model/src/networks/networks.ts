import type { GeneratorConfig, RunConfig } from '@fourfold/common';
import { batchNorm, batchNormInference, frozenBatchNorm } from '../layers/batch-norm.js';
import { conv2d } from '../layers/convolution.js';
import { depthToSpace } from '../layers/resampling.js';
import { prelu } from '../layers/activation.js';
import { residual, sequential, type Layer, type NamedTensors } from '../layers/layer.js';

/** A network with its tensors on the backend. */
export interface Network {
  layer: Layer;
  parameters: NamedTensors;
}

/** Whether batch norms use the batch's statistics or running averages; those of `frozen` can be trained. */
export type Mode = 'training' | 'frozen' | 'inference';

const norms = { training: batchNorm, frozen: frozenBatchNorm, inference: batchNormInference };

/** The mode in which a run trains its generator. */
export const trainingMode = ({ frozenBatchNorm }: Pick<RunConfig, 'frozenBatchNorm'>): Mode =>
  frozenBatchNorm ? 'frozen' : 'training';

/**
 * The generator (design, section 4; Ledig et al. 2017, figure 4): LR in [0, 1], any size, to SR of four times the width
 * and height, about [-1, 1].
 */
export function createGenerator(config: GeneratorConfig, mode: Mode): Layer {
  const { head, trunk, upsampling } = createGeneratorParts(config, mode);
  return sequential(head, residual(sequential(...trunk)), upsampling);
}

/** The parts of a generator: head, x + trunk(x), upsampling. All but the last work at the size of the LR picture. */
export interface GeneratorParts {
  head: Layer;
  /** Its layers, most of them residual blocks. */
  trunk: Layer[];
  upsampling: Layer;
}

/** The generator's parts, for inference on large pictures. */
export function createGeneratorParts({ blocks }: GeneratorConfig, mode: Mode): GeneratorParts {
  const norm = norms[mode];
  const residualBlock = (block: string) =>
    residual(
      sequential(
        conv2d(`${block}/conv1`, { stride: 1, bias: false }),
        norm(`${block}/bn1`),
        prelu(`${block}/prelu`),
        conv2d(`${block}/conv2`, { stride: 1, bias: false }),
        norm(`${block}/bn2`),
      ),
    );
  const upsampling = (up: string) =>
    sequential(conv2d(`${up}/conv`, { stride: 1, bias: true }), depthToSpace, prelu(`${up}/prelu`));
  return {
    head: sequential(conv2d('head/conv', { stride: 1, bias: true }), prelu('head/prelu')),
    trunk: [
      ...Array.from({ length: blocks }, (_, i) => residualBlock(`block${i + 1}`)),
      conv2d('trunk/conv', { stride: 1, bias: false }),
      norm('trunk/bn'),
    ],
    upsampling: sequential(upsampling('up1'), upsampling('up2'), conv2d('tail/conv', { stride: 1, bias: true })),
  };
}
