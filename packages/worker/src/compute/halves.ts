import assert from 'node:assert/strict';
import type { Network as NetworkName, PhaseConfig, RunConfig } from '@fourfold/common';
import {
  contentStep,
  discriminatorStep,
  disposeContent,
  disposeTensors,
  downloadGradients,
  featureShift,
  generatorStep,
  readLosses,
  runGenerator,
  submitWork,
  uploadBatch,
  type Adversary,
  type BatchTensors,
  type ContentResult,
  type CropBatch,
  type FeatureExtractor,
  type GeneratorPass,
  type LossTensors,
  type NamedTensors,
  type Network,
} from '@fourfold/model';
import type { Layout } from '@fourfold/weights';

/** Where in a run a replica's work belongs. */
export interface Place {
  iteration: number;
  replica: number;
  /** Index in the config's phases. */
  phase: number;
}

/** What the halves of an iteration are computed from. Networks change between iterations, but their tensors need not. */
export interface HalvesParts {
  config: RunConfig;
  /** The tensors of a gradient vector: factors in the place of the weights in `factored`. */
  gradientLayouts: { generator: Layout; discriminator: Layout };
  factored: ReadonlySet<string>;
  /** The network's newest parameters; throws if none have arrived. */
  network: (name: NetworkName) => Network;
  vgg: FeatureExtractor | undefined;
}

/** A replica's share of an iteration, half by half. */
export interface Halves {
  /** The first half of a `gan` iteration: the discriminator's gradient into `target`; its losses. */
  discriminator(place: Place, batch: CropBatch, target: Float32Array): Promise<Record<string, number>>;
  /** Work ahead: the content loss of a kept pass, which needs no discriminator. */
  content(place: Place): void;
  /** The generator's gradient into `target`; its losses. Ends the replica's pass. */
  generator(place: Place, batch: CropBatch, target: Float32Array): Promise<Record<string, number>>;
  /** Forget the kept passes: the generator's parameters are about to change. */
  reset(): void;
}

/** A replica's generator pass, kept between the two halves of an iteration. */
interface KeptPass {
  batch: BatchTensors;
  pass: GeneratorPass;
  content?: ContentResult;
}

/** Halves that run kernel by kernel, on any backend. Everything they keep is a cache. */
// eslint-disable-next-line max-lines-per-function -- short methods that share the kept passes
export function createHalves({ config, gradientLayouts, factored, network, vgg }: HalvesParts): Halves {
  /** By replica; all of the same iteration. */
  const kept = new Map<number, KeptPass>();
  let keptIteration = -1;

  function drop(replica: number): void {
    const found = kept.get(replica);
    if (!found) return;
    kept.delete(replica);
    found.pass.dispose();
    if (found.content) disposeContent(found.content);
    found.batch.hr.dispose();
    found.batch.lr.dispose();
  }

  function reset(): void {
    for (const replica of [...kept.keys()]) drop(replica);
  }

  /** The replica's pass: the kept one, or a recomputed one. */
  function passOf({ iteration, replica }: Place, batch: CropBatch): KeptPass {
    if (iteration !== keptIteration) reset();
    keptIteration = iteration;
    const found = kept.get(replica);
    if (found) return found;
    if (kept.size >= config.workers.keptPasses) drop(kept.keys().next().value as number);
    const generator = network('generator');
    const tensors = uploadBatch(batch);
    const made: KeptPass = { batch: tensors, pass: runGenerator(generator, tensors.lr) };
    kept.set(replica, made);
    return made;
  }

  function contentOf({ batch, pass, content }: KeptPass, place: Place): ContentResult {
    const { kind } = config.phases[place.phase];
    return content ?? contentStep(kind, config.loss, vgg, batch.hr, pass.sr, featureShift(config, place));
  }

  /** A half that throws may have used up part of a kept pass: all are forgotten, and recomputed. */
  async function orReset<T>(half: () => Promise<T>): Promise<T> {
    try {
      return await half();
    } catch (error) {
      reset();
      throw error;
    }
  }

  /** The gradients into `target`, and the losses, in one read where the backend can; frees both. */
  async function download(
    layout: Layout,
    { gradients, losses }: { gradients: NamedTensors; losses: LossTensors },
    target: Float32Array,
  ): Promise<Record<string, number>> {
    try {
      const [, values] = await Promise.all([downloadGradients(layout, gradients, target), readLosses(losses)]);
      return values;
    } finally {
      disposeTensors(gradients);
    }
  }

  return {
    discriminator: (place, batch, target) =>
      orReset(async () => {
        const { batch: tensors, pass } = passOf(place, batch);
        const { adversarial } = config.loss;
        const discriminator = network('discriminator');
        const result = discriminatorStep(discriminator, tensors.hr, pass.sr, adversarial, factored);
        return download(gradientLayouts.discriminator, result, target);
      }),
    content(place) {
      const pass = kept.get(place.replica);
      if (!pass || keptIteration !== place.iteration) return;
      try {
        pass.content = contentOf(pass, place);
        submitWork();
      } catch (error) {
        reset();
        throw error;
      }
    },
    generator: (place, batch, target) =>
      orReset(async () => {
        const replica = passOf(place, batch);
        const content = contentOf(replica, place);
        const against = adversaryOf(config, config.phases[place.phase].kind, network, replica.batch.hr);
        const result = generatorStep(replica.pass, content, against);
        // generatorStep has used it up.
        replica.content = undefined;
        const losses = await download(gradientLayouts.generator, result, target);
        drop(place.replica);
        return losses;
      }),
    reset,
  };
}

/** What a generator of that kind of phase is trained against. */
export const adversaryOf = (
  { loss }: RunConfig,
  kind: PhaseConfig['kind'],
  network: HalvesParts['network'],
  hr: BatchTensors['hr'],
): Adversary | undefined => (kind === 'gan' ? { discriminator: network('discriminator'), hr, loss } : undefined);

/** Assert that a network's parameters have arrived before its work. */
export function present(network: Network | undefined, name: string): Network {
  assert(network, `the ${name}'s parameters must arrive before its work`);
  return network;
}
