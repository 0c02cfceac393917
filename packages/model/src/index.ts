export { probeBackends, selectBackend } from './backends/backend.js';
export { type BackendChoice, type BackendInfo, type BackendProbe } from './backends/types.js';
export { type DeviceMemory, deviceMemory } from './backends/device-memory.js';
export { canCaptureGraphs, pinVector, unpinVectors } from './backends/torch-backend.js';
export { tileOverlap, upscalePicture, upscaleTiles } from './inference/upscale.js';
export { type NamedTensors } from './layers/layer.js';
export { type Network, createDiscriminator, createGenerator, createVgg } from './networks/networks.js';
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

export {
  type ContentResult,
  type GeneratorPass,
  type LossTensors,
  contentStep,
  discriminatorStep,
  disposeContent,
  generatorStep,
  peekLosses,
  readLosses,
  runGenerator,
} from './training/steps.js';
