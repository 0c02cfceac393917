import assert from 'node:assert/strict';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import type { RunConfig } from '@fourfold/common';
import { readPicture } from '@fourfold/data-loader';
import {
  contentStep,
  createDiscriminator,
  createGenerator,
  createVgg,
  discriminatorLayout,
  discriminatorStep,
  disposeContent,
  disposeTensors,
  downloadGradients,
  generatorLayout,
  generatorStep,
  readLosses,
  runGenerator,
  selectBackend,
  tensorCount,
  tileOverlap,
  uploadBatch,
  uploadParameters,
  upscalePicture,
  vggLayout,
  vggVector,
  type BackendChoice,
  type BackendInfo,
  type BatchTensors,
  type ContentResult,
  type CropBatch,
  type GeneratorPass,
  type Layout,
  type Network,
} from '@fourfold/model';
import { evaluatePicture, type Scores } from './evaluation.js';
import { answerCalls } from './thread-rpc.js';

/*
 * The thread that owns TensorFlow.js. The process's other thread stays free for the wire meanwhile, which is what lets
 * the exchange of one half overlap the computation of the other.
 */

export interface Place {
  iteration: number;
  replica: number;
  /** Index in the config's phases. */
  phase: number;
}

/** A replica's generator pass, kept between the two halves of an iteration. */
interface KeptPass {
  batch: BatchTensors;
  pass: GeneratorPass;
  content?: ContentResult;
}

/** Side of the LR tiles of an evaluation: bounds its memory. */
const evaluationTilePixels = 96;

let config: RunConfig;
let layouts: { generator: Layout; discriminator: Layout };
const networks: { generator?: Network; discriminator?: Network; vgg?: Network } = {};
/** By replica; all of the same iteration. */
const kept = new Map<number, KeptPass>();
let keptIteration = -1;
let evaluated: Network | undefined;

const methods = {
  /** Choose the backend and prepare the networks; `vggBytes` is the safetensors file that the config names. */
  async start(
    run: RunConfig,
    choice: BackendChoice,
    vggBytes?: Uint8Array,
  ): Promise<BackendInfo> {
    config = run;
    const info = await selectBackend(choice);
    layouts = {
      generator: generatorLayout(config.generator),
      discriminator: discriminatorLayout(config.discriminator, config.data.crop),
    };
    const depth = config.loss.content;
    if (vggBytes && depth !== 'mse') {
      const vector = vggVector(depth, vggBytes, String(config.vgg));
      networks.vgg = { layer: createVgg(depth), parameters: uploadParameters(vggLayout(depth), vector) };
    }
    return info;
  },

  /** Forget what was computed for another coordinator; returns how many tensors are left, those of parameters. */
  reset(): number {
    for (const replica of [...kept.keys()]) drop(replica);
    return tensorCount();
  },

  /** Take over a network's parameters. */
  setParameters(network: 'generator' | 'discriminator', vector: Float32Array): void {
    // Passes of the generator's older version need its tensors.
    if (network === 'generator') methods.reset();
    const before = networks[network];
    if (before) disposeTensors(before.parameters);
    const layer =
      network === 'generator'
        ? createGenerator(config.generator, 'training')
        : createDiscriminator(config.discriminator);
    networks[network] = { layer, parameters: uploadParameters(layouts[network], vector) };
  },

  /** The first half of a `gan` iteration: the discriminator's gradient into `target`; returns its losses. */
  discriminatorHalf(place: Place, batch: CropBatch, target: Float32Array): Record<string, number> {
    const { batch: tensors, pass } = passOf(place, batch);
    const { losses, gradients } = discriminatorStep(network('discriminator'), tensors.hr, pass.sr);
    downloadGradients(layouts.discriminator, gradients, target);
    disposeTensors(gradients);
    return readLosses(losses);
  },

  /** Work ahead: the content loss of a kept pass, which needs no discriminator. */
  prepareContent({ replica, iteration, phase }: Place): void {
    const pass = kept.get(replica);
    if (pass && keptIteration === iteration) contentOf(pass, phase);
  },

  /** The generator's gradient into `target`; returns its losses. Ends the replica's pass. */
  generatorHalf(place: Place, batch: CropBatch, target: Float32Array): Record<string, number> {
    const replica = passOf(place, batch);
    const content = contentOf(replica, place.phase);
    const against = config.phases[place.phase].kind === 'gan' ? network('discriminator') : undefined;
    const { losses, gradients } = generatorStep(replica.pass, content, against, config.loss.adversarialWeight);
    // generatorStep has used both up.
    replica.content = undefined;
    downloadGradients(layouts.generator, gradients, target);
    disposeTensors(gradients);
    drop(place.replica);
    return readLosses(losses);
  },

  /** Take over the generator's vector, running averages included, to measure it. */
  startEvaluation(vector: Float32Array): void {
    methods.endEvaluation();
    evaluated = {
      layer: createGenerator(config.generator, 'inference'),
      parameters: uploadParameters(layouts.generator, vector),
    };
  },

  /** PSNR and SSIM of the generator under evaluation on one picture of a folder. */
  async evaluatePicture(folder: string, picture: string): Promise<Scores> {
    const generator = evaluated;
    assert(generator, 'startEvaluation comes first');
    const tiling = { tile: evaluationTilePixels, overlap: tileOverlap(config.generator) };
    return evaluatePicture(await readPicture(join(folder, picture)), (lr) => upscalePicture(generator, lr, tiling));
  },

  endEvaluation(): void {
    if (evaluated) disposeTensors(evaluated.parameters);
    evaluated = undefined;
  },
};

export type ComputeMethods = typeof methods;

const network = (name: 'generator' | 'discriminator'): Network => {
  const found = networks[name];
  assert(found, `the ${name}'s parameters are there before its work`);
  return found;
};

/** The replica's pass: the kept one, else computed again. */
function passOf({ iteration, replica }: Place, batch: CropBatch): KeptPass {
  if (iteration !== keptIteration) methods.reset();
  keptIteration = iteration;
  const found = kept.get(replica);
  if (found) return found;
  if (kept.size >= config.workers.keptPasses) drop(kept.keys().next().value as number);
  const tensors = uploadBatch(batch);
  const made: KeptPass = { batch: tensors, pass: runGenerator(network('generator'), tensors.lr) };
  kept.set(replica, made);
  return made;
}

function contentOf(replica: KeptPass, phase: number): ContentResult {
  replica.content ??= contentStep(
    config.phases[phase].kind,
    config.loss,
    networks.vgg,
    replica.batch.hr,
    replica.pass.sr,
  );
  return replica.content;
}

function drop(replica: number): void {
  const found = kept.get(replica);
  if (!found) return;
  kept.delete(replica);
  found.pass.dispose();
  if (found.content) disposeContent(found.content);
  found.batch.hr.dispose();
  found.batch.lr.dispose();
}

assert(parentPort, 'this module runs in a worker thread');
answerCalls(parentPort, methods);
