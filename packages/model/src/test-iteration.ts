import tf = require('@tensorflow/tfjs-core');
import { randomStream } from '@fourfold/common';
import {
  initialVector,
  discriminatorLayout,
  generatorLayout,
  featureLayout,
  vggConvolutions,
  type Layout,
} from '@fourfold/weights';
import { createFeatures } from './networks/features.js';
import { vgg54Loss } from './test-reference.js';
import { createDiscriminator } from './networks/discriminator.js';
import { createGenerator } from './networks/networks.js';
import { contentStep } from './training/content-step.js';
import { runFeatures } from './training/feature-pass.js';
import { discriminatorStep, generatorStep, readLosses, runGenerator } from './training/steps.js';
import {
  disposeTensors,
  downloadGradients,
  uploadBatch,
  uploadParameters,
  type CropBatch,
} from './networks/transfer.js';

/*
 * One gan iteration of small networks, with the whole depth of VGG19, on the current backend, to compare backends by.
 */

const generatorConfig = { channels: 16, blocks: 2 };
const discriminatorConfig = { channels: 8, head: 'dense' as const, dense: 32 };
const groups = [2, 2, 4, 4, 4].map((convolutions, i) => ({ convolutions, width: [8, 16, 32, 32, 32][i] }));
const convolutions = vggConvolutions(groups);
const [crop, count] = [48, 4];

const layouts = {
  generator: generatorLayout(generatorConfig),
  discriminator: discriminatorLayout(discriminatorConfig, crop),
  vgg: featureLayout('vgg19', convolutions),
};

const loss = vgg54Loss;

export interface IterationResult {
  losses: Record<string, number>;
  /** In the layout's order, followed by the batch's statistics. */
  gradients: Record<'generator' | 'discriminator', Float32Array>;
}

/** Losses and gradients of the iteration; nothing is left on the backend. */
export async function smallIteration(): Promise<IterationResult> {
  const [ofGenerator, ofDiscriminator, ofVgg] = [
    uploadParameters(layouts.generator, initialVector(layouts.generator, 1)),
    uploadParameters(layouts.discriminator, initialVector(layouts.discriminator, 1)),
    uploadParameters(layouts.vgg, vggLikeVector()),
  ];
  const discriminator = { ...createDiscriminator(discriminatorConfig), parameters: ofDiscriminator };
  const vgg = { features: createFeatures(convolutions, [{ layer: 'conv5_4', relu: 'after' }]), parameters: ofVgg };
  const { hr, lr } = uploadBatch(smallBatch());
  const pass = runGenerator({ layer: createGenerator(generatorConfig, 'training'), parameters: ofGenerator }, lr);
  const first = discriminatorStep(discriminator, { hr, sr: pass.sr }, 'standard');
  const content = contentStep('gan', loss, { hr, sr: pass.sr, features: runFeatures(vgg, hr, pass.sr) });
  const second = generatorStep(pass, content, { discriminator, hr, loss });
  const download = async (layout: Layout, gradients: typeof first.gradients) => {
    const vector = new Float32Array(layout.length);
    await downloadGradients(layout, gradients, vector);
    disposeTensors(gradients);
    return vector;
  };
  const result = {
    gradients: {
      generator: await download(layouts.generator, second.gradients),
      discriminator: await download(layouts.discriminator, first.gradients),
    },
    losses: await readLosses({ ...first.losses, ...second.losses }),
  };
  for (const parameters of [ofGenerator, ofDiscriminator, ofVgg]) disposeTensors(parameters);
  tf.dispose([hr, lr]);
  return result;
}

function smallBatch(): CropBatch {
  const pixels = (side: number, key: string) => {
    const random = randomStream('pixels', key);
    return Uint8Array.from({ length: count * side * side * 3 }, () => random.below(256));
  };
  return { hr: pixels(crop, 'hr'), lr: pixels(crop / 4, 'lr'), count, crop };
}

/** Random weights with which features keep their magnitude through sixteen layers, as with trained ones (He et al. 2015). */
const vggLikeVector = (): Float32Array => initialVector(layouts.vgg, 1).map((value) => value * Math.sqrt(6));
