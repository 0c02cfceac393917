import assert from 'node:assert/strict';
import type { PhaseConfig, RunConfig } from '@fourfold/common';
import {
  contentStep,
  discriminatorStep,
  disposeContent,
  disposeTensors,
  downloadGradients,
  featureShift,
  generatorStep,
  pullFeatures,
  readLosses,
  runFeatures,
  runGenerator,
  submitWork,
  uploadBatch,
  type Adversary,
  type BatchTensors,
  type ContentResult,
  type CropBatch,
  type Discriminator,
  type FeatureExtractor,
  type FeaturePass,
  type GeneratorPass,
  type LossTensors,
  type NamedTensors,
  type Network,
  type Pictures,
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
  /** The networks with their newest parameters; throw if none have arrived. */
  networks: { generator(): Network; discriminator(): Discriminator };
  vgg: FeatureExtractor | undefined;
  /** The transform of a loss of bands, if the config has one. */
  bandFilter?: Pictures['bandFilter'];
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
  /** What the discriminator and the content loss see; the content owns it once that is computed. */
  features?: FeaturePass;
  content?: ContentResult;
}

/** Halves that run kernel by kernel, on any backend. Everything they keep is a cache. */
// eslint-disable-next-line max-lines-per-function -- short methods that share the kept passes
export function createHalves(parts: HalvesParts): Halves {
  const { config, gradientLayouts, factored, networks, vgg, bandFilter } = parts;
  /** By replica; all of the same iteration. */
  const kept = new Map<number, KeptPass>();
  let keptIteration = -1;
  const seesFeatures = config.discriminator.head === 'features';

  function drop(replica: number): void {
    const found = kept.get(replica);
    if (!found) return;
    kept.delete(replica);
    found.pass.dispose();
    found.features?.dispose();
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
    const tensors = uploadBatch(batch);
    const made: KeptPass = { batch: tensors, pass: runGenerator(networks.generator(), tensors.lr) };
    kept.set(replica, made);
    return made;
  }

  const pixelsOf = ({ batch, pass }: KeptPass): Pictures => ({ hr: batch.hr, sr: pass.sr, bandFilter });

  /** The pictures of a pass; with features if the content loss of that phase compares them. */
  function picturesOf(replica: KeptPass, place: Place): Pictures {
    const pixels = pixelsOf(replica);
    if (!vgg || config.phases[place.phase].kind === 'mse') return pixels;
    replica.features ??= runFeatures(vgg, pixels.hr, pixels.sr, featureShift(config, place));
    return { ...pixels, features: replica.features };
  }

  function contentOf(replica: KeptPass, place: Place): ContentResult {
    if (replica.content) return replica.content;
    const content = contentStep(config.phases[place.phase].kind, config.loss, picturesOf(replica, place));
    replica.features = undefined;
    // A discriminator of features adds its gradient to theirs, so that they are passed through once.
    if (!seesFeatures) pullFeatures(content);
    return (replica.content = content);
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
        const replica = passOf(place, batch);
        const pictures = seesFeatures ? picturesOf(replica, place) : pixelsOf(replica);
        const result = discriminatorStep(networks.discriminator(), pictures, config.loss.adversarial, factored);
        return download(gradientLayouts.discriminator, result, target);
      }),
    content(place) {
      const pass = kept.get(place.replica);
      if (!pass || keptIteration !== place.iteration) return;
      try {
        contentOf(pass, place);
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
        const against = adversaryOf(config, config.phases[place.phase].kind, networks, replica.batch.hr);
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
  networks: HalvesParts['networks'],
  hr: BatchTensors['hr'],
): Adversary | undefined => (kind === 'gan' ? { discriminator: networks.discriminator(), hr, loss } : undefined);

/** Assert that a network's parameters have arrived before its work. */
export function present<T>(network: T | undefined, name: string): T {
  assert(network, `the ${name}'s parameters must arrive before its work`);
  return network;
}
