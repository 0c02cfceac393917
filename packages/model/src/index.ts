/*
 * SRGAN in TensorFlow.js.
 *
 * - networks/   generator, discriminator and feature networks from layers; parameters in and out
 * - layers/     forward passes and gradients of layers
 * - kernels/    the operations in which backends differ
 * - backends/   wasm, torch, TensorFlow and WebGPU: found, chosen, started
 * - training/   losses, and the gradients of a half
 * - inference/  a trained generator at work
 * - import/     feature networks from published files
 * - export/     generators for other runtimes
 */

export { probeBackends, selectBackend } from './backends/backend.js';
export { type BackendChoice, type BackendInfo, type BackendProbe } from './backends/types.js';
export { type DeviceMemory, deviceMemory } from './backends/device-memory.js';
export { dawnFolder } from './backends/webgpu-adapter.js';
export { canCaptureGraphs, pinVector, unpinVectors } from './backends/cuda-device.js';
export { type Border, tileOverlap } from './inference/surroundings.js';
export { type Lpips, createLpips } from './inference/lpips.js';
export { upscaleTiles } from './inference/upscale.js';
export { type Upscaler, createUpscaler, resultOf } from './inference/upscaler.js';
export { oneByOne } from './kernels/download.js';
export { submitWork } from './kernels/kernels.js';
export { type NamedTensors } from './layers/layer.js';
export { createContentFeatures } from './networks/content-network.js';
export { type FeatureExtractor, createFeatures } from './networks/features.js';
export { featureShift } from './training/feature-shift.js';
export { type Discriminator, createDiscriminator } from './networks/discriminator.js';
export { type Network, createGenerator, trainingMode } from './networks/networks.js';
export {
  type BatchTensors,
  type CropBatch,
  disposeTensors,
  downloadGradients,
  downloadVector,
  overwriteBatch,
  packGradients,
  replaceParameters,
  tensorCount,
  uploadBatch,
  uploadParameters,
} from './networks/transfer.js';
export { createBandFilter } from './training/bands.js';
export {
  type ContentResult,
  type LossTensors,
  type Pictures,
  contentStep,
  disposeContent,
  pullFeatures,
} from './training/content-step.js';
export { type FeaturePass, runFeatures } from './training/feature-pass.js';
export {
  type Adversary,
  type GeneratorPass,
  discriminatorStep,
  generatorStep,
  peekLosses,
  readLosses,
  runGenerator,
} from './training/steps.js';
