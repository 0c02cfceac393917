import assert from 'node:assert/strict';
import type { PhaseConfig } from '@fourfold/common';
import { describeError, type Logger } from '@fourfold/common/basics';
import { captureGraphs, copiesAwaitComputation, readBeside, type Capture, type Graph } from '@fourfold/tfjs-torch';
import {
  contentStep,
  discriminatorStep,
  disposeTensors,
  downloadVector,
  generatorStep,
  oneByOne,
  overwriteBatch,
  packGradients,
  peekLosses,
  pullFeatures,
  runFeatures,
  runGenerator,
  uploadBatch,
  type BatchTensors,
  type CropBatch,
  type LossTensors,
  type NamedTensors,
  type Pictures,
} from '@fourfold/model';
import type { Layout } from '@fourfold/weights';
import { adversaryOf, createHalves, type Halves, type HalvesParts, type Place } from './halves.js';

/** A half's results, in the same place after every replay. */
interface Captured {
  graph: Graph;
  losses: LossTensors;
  gradient: ReturnType<typeof packGradients>;
}

/** An iteration of one kind of phase as graphs over tensors that stay where they are. */
interface Recording {
  batch: BatchTensors;
  /** The discriminator's half with the generator's forward pass; in phases other than `gan`, only the forward pass. */
  first: { graph: Graph; result: Captured | undefined };
  content: Graph;
  generator: Captured;
}

/**
 * Halves as CUDA graphs: each is captured once and replayed, so that in the steady state no kernel is launched from
 * JavaScript. The first iteration of a kind of phase runs kernel by kernel, so that libraries initialise themselves. One pass
 * is kept; a worker with several replicas recomputes the others' passes. If graphs cannot be captured, every iteration runs
 * kernel by kernel, to the same bits.
 */
// eslint-disable-next-line max-lines-per-function -- short functions that share the recordings
export function createGraphHalves(parts: HalvesParts, log: Logger): Halves {
  const { config } = parts;
  const eager = createHalves(parts);
  const recordings = new Map<PhaseConfig['kind'], Recording>();
  const warm = new Set<PhaseConfig['kind']>();
  let canCapture = true;
  /** Whose pass lies in the recordings' tensors, if its first graph was replayed since the generator last changed. */
  let held: { recording: Recording; place: Place } | undefined;

  const kindOf = ({ phase }: Place) => config.phases[phase].kind;
  const isHeld = ({ iteration, replica }: Place) =>
    held?.place.iteration === iteration && held.place.replica === replica;

  /** The recording with the first half replayed; undefined if the eager halves compute the iteration. */
  function begin(place: Place, batch: CropBatch): Recording | undefined {
    const recording = recordingOf(kindOf(place), batch);
    if (!recording) return undefined;
    recording.first.graph.replay();
    copiesAwaitComputation();
    // This runs while the discriminator's gradient goes to the host.
    recording.content.replay();
    held = { recording, place };
    return recording;
  }

  /** The recording with the batch in its place. The first iteration of a kind has none, from its first half to its last. */
  function recordingOf(kind: PhaseConfig['kind'], batch: CropBatch): Recording | undefined {
    const found = recordings.get(kind);
    if (found) overwriteBatch(found.batch, batch);
    if (found || !warm.has(kind) || !canCapture) return found;
    try {
      const made = captureGraphs((capture) => record(parts, kind, batch, capture));
      recordings.set(kind, made);
      return made;
    } catch (error) {
      canCapture = false;
      // Freeing the failed one may have freed memory that they share.
      recordings.clear();
      held = undefined;
      const what = `the ${kind} phase’s graphs cannot be captured: it runs without them, slower; workers.graphs: false skips the attempt`;
      log.warn({ event: 'no-graphs', reason: describeError(error) }, what);
      return undefined;
    }
  }

  return {
    async discriminator(place, batch, target) {
      const recording = begin(place, batch);
      if (!recording) return eager.discriminator(place, batch, target);
      const { result } = recording.first;
      assert(result, 'a gan phase has a discriminator half');
      readBeside(result.gradient, target);
      return peekLosses(result.losses, oneByOne(readBeside));
    },
    content(place) {
      // The graph of the content loss has been replayed right after the first half's.
      if (!recordings.has(kindOf(place))) eager.content(place);
    },
    async generator(place, batch, target) {
      const recording = held && isHeld(place) ? held.recording : begin(place, batch);
      if (!recording) {
        const losses = await eager.generator(place, batch, target);
        if (!warm.has(kindOf(place))) eager.reset();
        warm.add(kindOf(place));
        return losses;
      }
      held = undefined;
      recording.generator.graph.replay();
      await downloadVector(recording.generator.gradient, target);
      return peekLosses(recording.generator.losses);
    },
    reset() {
      held = undefined;
      eager.reset();
    },
  };
}

/** Capture an iteration of a kind of phase. */
function record(
  { config, gradientLayouts, factored, networks, vgg, bandFilter }: HalvesParts,
  kind: PhaseConfig['kind'],
  batch: CropBatch,
  capture: Capture,
): Recording {
  const tensors = uploadBatch(batch);
  const { hr } = tensors;
  const isGan = kind === 'gan';
  const seesFeatures = isGan && config.discriminator.head === 'features';
  const featuresOf = (sr: Pictures['sr']) => (vgg && kind !== 'mse' ? runFeatures(vgg, hr, sr) : undefined);
  const { graph: first, result } = capture(() => {
    const pass = runGenerator(networks.generator(), tensors.lr);
    const pictures: Pictures = {
      hr,
      sr: pass.sr,
      bandFilter,
      features: seesFeatures ? featuresOf(pass.sr) : undefined,
    };
    if (!isGan) return { pass, pictures };
    const step = discriminatorStep(networks.discriminator(), pictures, config.loss.adversarial, factored);
    return { pass, pictures, discriminator: packWith(gradientLayouts.discriminator, step) };
  });
  const content = capture(() => {
    const pictures = seesFeatures ? result.pictures : { ...result.pictures, features: featuresOf(result.pass.sr) };
    const made = contentStep(kind, config.loss, pictures);
    if (!seesFeatures) pullFeatures(made);
    return made;
  });
  const against = adversaryOf(config, kind, networks, hr);
  const second = capture(() =>
    packWith(gradientLayouts.generator, generatorStep(result.pass, content.result, against)),
  );
  return {
    batch: tensors,
    first: { graph: first, result: result.discriminator && { graph: first, ...result.discriminator } },
    content: content.graph,
    generator: { graph: second.graph, ...second.result },
  };
}

function packWith(layout: Layout, { losses, gradients }: { losses: LossTensors; gradients: NamedTensors }) {
  const gradient = packGradients(layout, gradients);
  disposeTensors(gradients);
  return { losses, gradient };
}
