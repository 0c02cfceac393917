import assert from 'node:assert/strict';
import { parentPort } from 'node:worker_threads';
import type { Network as NetworkName, RunConfig } from '@fourfold/common';
import { contentFeatures, createLogger } from '@fourfold/common/basics';
import { decodePicture, resizeBy, type Picture, lrAndHr, scoresAgainst, type Scores } from '@fourfold/imaging';
import {
  canCaptureGraphs,
  createBandFilter,
  createDiscriminator,
  createGenerator,
  createLpips,
  createContentFeatures,
  deviceMemory,
  disposeTensors,
  pinVector,
  replaceParameters,
  selectBackend,
  tensorCount,
  tileOverlap,
  trainingMode,
  unpinVectors,
  uploadParameters,
  upscaleTiles,
  type BackendChoice,
  type BackendInfo,
  type CropBatch,
  type DeviceMemory,
  type Discriminator,
  type FeatureExtractor,
  type Lpips,
  type Network,
} from '@fourfold/model';
import {
  discriminatorLayout,
  factoredWeights,
  generatorLayout,
  lpipsNetworks,
  networkWires,
  type Layout,
} from '@fourfold/weights';
import { createHalves, present, type Halves, type Place } from './halves.js';
import { shownPicture, type ShownPicture } from '../evaluation/shown-pictures.js';
import { answerCalls } from './thread-rpc.js';

/*
 * The thread that owns TensorFlow.js. The process's other thread stays free for the wire, so that the exchange of one half
 * overlaps the computation of the other.
 */

/** Side of the LR tiles of an evaluation: bounds its memory. */
const evaluationTilePixels = 96;

/** PSNR and SSIM on a picture, those of bicubic, and what to show of the picture, if wanted. */
export type MeasuredPicture = Scores & { bicubic: Scores; shown?: ShownPicture };

let config: RunConfig;
let layouts: { generator: Layout; discriminator: Layout };
const networks: { generator?: Network; discriminator?: Discriminator } = {};
let halves: Halves | undefined;
let evaluated: Network | undefined;
/** The picture that the generator under evaluation is measured on now. */
let measuring: AsyncGenerator<void, MeasuredPicture> | undefined;
/** Perceptual distance, if the config asks for it. */
let lpips: Lpips | undefined;
/** By validation picture: they never change. */
const bicubicScores = new Map<string, Scores>();

const methods = {
  /** Choose the backend and prepare the networks; the bytes are those of the safetensors files that the config names. */
  async start(
    run: RunConfig,
    choice: BackendChoice,
    vggBytes?: Uint8Array,
    lpipsBytes?: Uint8Array,
  ): Promise<BackendInfo> {
    config = run;
    const info = await selectBackend(choice);
    layouts = {
      generator: generatorLayout(config.generator),
      discriminator: discriminatorLayout(config.discriminator, config.data.crop),
    };
    const wires = networkWires(config);
    const gradientLayouts = {
      generator: wires.generator.gradientLayout,
      discriminator: wires.discriminator.gradientLayout,
    };
    const { validation } = config;
    lpips =
      lpipsBytes && validation?.lpips && createLpips(lpipsNetworks[validation.lpips], lpipsBytes, 'the LPIPS weights');
    const parts = {
      config,
      gradientLayouts,
      factored: factoredWeights(config),
      networks: loaded,
      vgg: vggOf(vggBytes),
      bandFilter: config.loss.bandWeight > 0 ? createBandFilter() : undefined,
    };
    halves =
      config.workers.graphs && canCaptureGraphs() && config.loss.featureShift === 0
        ? (await import('./graph-halves.js')).createGraphHalves(parts, createLogger('worker'))
        : createHalves(parts);
    return info;
  },

  /** Forget the work for another coordinator, and its vectors; returns how many tensors are left, which are those of parameters. */
  reset(): number {
    halves?.reset();
    methods.endEvaluation();
    unpinVectors();
    return tensorCount();
  },

  /** Undefined before `start`: asking a backend would choose one. */
  memory: (): DeviceMemory | undefined => halves && deviceMemory(),

  /** Load a network's parameters. */
  setParameters(name: NetworkName, vector: Float32Array): void {
    // Passes of the generator's older version need its tensors as they were.
    if (name === 'generator') halves?.reset();
    pinVector(vector);
    const found = networks[name];
    const parameters = found
      ? replaceParameters(layouts[name], found.parameters, vector)
      : uploadParameters(layouts[name], vector);
    if (name === 'generator') networks.generator = { layer: generatorLayer(), parameters };
    else networks.discriminator = { ...discriminatorHeads(), parameters };
  },

  discriminatorHalf(place: Place, batch: CropBatch, target: Float32Array) {
    pinVector(target);
    return started().discriminator(place, batch, target);
  },

  prepareContent: (place: Place) => started().content(place),

  generatorHalf(place: Place, batch: CropBatch, target: Float32Array) {
    pinVector(target);
    return started().generator(place, batch, target);
  },

  /** Load the generator's vector, running averages included, to measure it. */
  startEvaluation(vector: Float32Array): void {
    methods.endEvaluation();
    evaluated = {
      layer: createGenerator(config.generator, 'inference'),
      parameters: uploadParameters(layouts.generator, vector),
    };
  },

  /** Start to measure the generator under evaluation on a picture file, and say whether the picture is shown. */
  async startPicture(name: string, file: Uint8Array, show: { references: boolean } | false): Promise<void> {
    const decoded = await decodePicture(file);
    assert(evaluated, 'startEvaluation comes first');
    measuring = measure(evaluated, name, decoded, show);
  },

  /** Process one tile, so that halves are computed in between; returns the picture's scores after the last one. */
  async continuePicture(): Promise<MeasuredPicture | undefined> {
    assert(measuring, 'startPicture comes first');
    const { done, value } = await measuring.next();
    if (!done) return undefined;
    measuring = undefined;
    return value;
  },

  endEvaluation(): void {
    measuring = undefined;
    if (evaluated) disposeTensors(evaluated.parameters);
    evaluated = undefined;
  },
};

export type ComputeMethods = typeof methods;

/** Measure on a picture, with a pause after each tile. */
async function* measure(
  generator: Network,
  name: string,
  original: Picture,
  show: { references: boolean } | false,
): AsyncGenerator<void, MeasuredPicture> {
  const { lr, hr } = lrAndHr(original);
  const tiling = { tile: evaluationTilePixels, overlap: tileOverlap(config.generator) };
  const sr = yield* upscaleTiles(generator, lr, tiling);
  const bicubic = bicubicScores.get(name) ?? (yield* scored(hr, resizeBy(lr, 4, 'cubic')));
  bicubicScores.set(name, bicubic);
  const shown = show ? shownPicture({ lr, hr, sr }, show.references) : undefined;
  return { ...(yield* scored(hr, sr)), bicubic, shown };
}

/** How near a picture is to the original, with LPIPS if the config asks for it. */
async function* scored(hr: Picture, sr: Picture): AsyncGenerator<void, Scores> {
  const scores = scoresAgainst(hr, sr);
  if (lpips) scores.lpips = yield* lpips.measure(hr, sr);
  return scores;
}

const loaded = {
  generator: () => present(networks.generator, 'generator'),
  discriminator: () => present(networks.discriminator, 'discriminator'),
};

function started(): Halves {
  assert(halves, 'start comes first');
  return halves;
}

const generatorLayer = () => networks.generator?.layer ?? createGenerator(config.generator, trainingMode(config));

const discriminatorHeads = () =>
  networks.discriminator ?? createDiscriminator(config.discriminator, contentFeatures(config.loss)?.layers);

/** The feature network from the file that the config names, if its content loss needs it. */
function vggOf(bytes: Uint8Array | undefined): FeatureExtractor | undefined {
  const features = contentFeatures(config.loss);
  return bytes && features && createContentFeatures(features, bytes, String(config.vgg));
}

assert(parentPort, 'this module runs in a worker thread');
answerCalls(parentPort, methods);
