import assert from 'node:assert/strict';
import type { PhaseConfig } from '@fourfold/common';
import {
  captureGraph,
  contentStep,
  copiesAwaitComputation,
  discriminatorStep,
  disposeTensors,
  downloadVector,
  generatorStep,
  overwriteBatch,
  packGradients,
  peekLosses,
  readBeside,
  runGenerator,
  uploadBatch,
  type BatchTensors,
  type CropBatch,
  type Graph,
  type Layout,
  type LossTensors,
  type NamedTensors,
} from '@fourfold/model';
import { createHalves, type Halves, type HalvesParts, type Place } from './halves.js';

/** A half's results, in the same place after every replay. */
interface Captured {
  graph: Graph;
  losses: LossTensors;
  gradient: ReturnType<typeof packGradients>;
}

/** An iteration of one kind of phase as graphs over tensors that stay where they are. */
interface Recording {
  batch: BatchTensors;
  /** The discriminator's half with the generator's forward pass; in other phases than `gan` the forward pass alone. */
  first: { graph: Graph; result: Captured | undefined };
  content: Graph;
  generator: Captured;
}

/**
 * Halves as CUDA graphs: each is captured once and replayed, so that in the steady state no kernel is launched from
 * JavaScript. The first iteration of a kind of phase runs kernel by kernel, which is what libraries set themselves up in.
 * One pass is kept; a worker with several replicas computes the others' passes again.
 */
export function createGraphHalves(parts: HalvesParts): Halves {
  const { config, gradientLayouts, factored, network, vgg } = parts;
  const eager = createHalves(parts);
  const recordings = new Map<PhaseConfig['kind'], Recording>();
  const warm = new Set<PhaseConfig['kind']>();
  /** Whose pass lies in the recordings' tensors, if its first graph was replayed since the generator last changed. */
  let held: { recording: Recording; place: Place } | undefined;

  const kindOf = ({ phase }: Place) => config.phases[phase].kind;
  const isHeld = ({ iteration, replica }: Place) =>
    held?.place.iteration === iteration && held.place.replica === replica;

  function begin(place: Place, batch: CropBatch): Recording {
    const kind = kindOf(place);
    let recording = recordings.get(kind);
    if (recording) overwriteBatch(recording.batch, batch);
    else recordings.set(kind, (recording = record(kind, batch)));
    recording.first.graph.replay();
    copiesAwaitComputation();
    // While the discriminator's gradient goes to the host.
    recording.content.replay();
    held = { recording, place };
    return recording;
  }

  function record(kind: PhaseConfig['kind'], batch: CropBatch): Recording {
    const tensors = uploadBatch(batch);
    const isGan = kind === 'gan';
    const { graph: first, result } = captureGraph(() => {
      const pass = runGenerator(network('generator'), tensors.lr);
      return {
        pass,
        discriminator: isGan
          ? pack(discriminatorStep(network('discriminator'), tensors.hr, pass.sr, factored))
          : undefined,
      };
    });
    const content = captureGraph(() => contentStep(kind, config.loss, vgg, tensors.hr, result.pass.sr));
    const against = isGan ? network('discriminator') : undefined;
    const second = captureGraph(() =>
      packWith(
        gradientLayouts.generator,
        generatorStep(result.pass, content.result, against, config.loss.adversarialWeight),
      ),
    );
    return {
      batch: tensors,
      first: { graph: first, result: result.discriminator && { graph: first, ...result.discriminator } },
      content: content.graph,
      generator: { graph: second.graph, ...second.result },
    };
  }

  const pack = (step: { losses: LossTensors; gradients: NamedTensors }) =>
    packWith(gradientLayouts.discriminator, step);

  function packWith(layout: Layout, { losses, gradients }: { losses: LossTensors; gradients: NamedTensors }) {
    const gradient = packGradients(layout, gradients);
    disposeTensors(gradients);
    return { losses, gradient };
  }

  /** The first iteration of a kind goes to the eager halves, from its first half to its last. */
  const isWarm = (place: Place) => warm.has(kindOf(place));

  return {
    discriminator(place, batch, target) {
      if (!isWarm(place)) return eager.discriminator(place, batch, target);
      const { result } = begin(place, batch).first;
      assert(result, 'a gan phase has a discriminator half');
      readBeside(result.gradient, target);
      return peekLosses(result.losses);
    },
    content(place) {
      // The graph of the content loss follows the first half's by itself.
      if (!isWarm(place)) eager.content(place);
    },
    generator(place, batch, target) {
      if (!isWarm(place)) {
        const losses = eager.generator(place, batch, target);
        eager.reset();
        warm.add(kindOf(place));
        return losses;
      }
      const recording = held && isHeld(place) ? held.recording : begin(place, batch);
      held = undefined;
      recording.generator.graph.replay();
      downloadVector(recording.generator.gradient, target);
      return peekLosses(recording.generator.losses);
    },
    reset() {
      held = undefined;
      eager.reset();
    },
  };
}
