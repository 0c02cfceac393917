/*
 * Weights as bytes, without TensorFlow.js: what the tensors of a network are called and where they are in its flat vector
 * (layout.ts, discriminator-layout.ts), how they begin (initial-parameters.ts), how they cross a wire (wires.ts, wire-layout.ts, delta-layout.ts), and their files
 * (safetensors.ts, weights-file.ts; of a generator, also with PyTorch's names: generator-file.ts, torch-generator.ts).
 */

export { hwioToOihw, oihwToHwio } from './filters.js';
export {
  type FeatureConvolution,
  type LpipsNetwork,
  contentConvolutions,
  contentLayout,
  convolutionsUpTo,
  featureLayout,
  featureNetworkNames,
  featureNetworks,
  checkLpipsSize,
  lpipsHead,
  lpipsLayers,
  lpipsLayout,
  lpipsNetworks,
  torchvisionName,
  vggConvolutions,
} from './feature-networks.js';
export { type DeltaLayout, blockBytes, blockElements, createDeltaLayout, deltaBytesBefore } from './delta-layout.js';
export { discriminatorLayout, discriminatorStages } from './discriminator-layout.js';
export { floatsOf } from './floats.js';
export { generatorOf } from './generator-file.js';
export { initialVector } from './initial-parameters.js';
export {
  type FeatureNetwork,
  type GeneratorWeights,
  type Layout,
  type TensorPlace,
  factorNames,
  generatorLayout,
  wideWeights,
} from './layout.js';
export { type NamedArray, decodeSafetensors, encodeSafetensors, encodeSafetensorsHead } from './safetensors.js';
export { type VggPreprocessing, preprocessingKey, vggInput } from './vgg-preprocessing.js';
export {
  type FeatureWeights,
  featureWeights,
  featuresFromTensors,
  safetensorsFromVector,
  vectorFromSafetensors,
  vggOf,
} from './weights-file.js';
export { decodeTorchGenerator, encodeTorchGenerator } from './torch-generator.js';
export {
  type WireLayout,
  bytesBefore,
  createWireLayout,
  cutByElement,
  cutBySection,
  elementBytesOf,
  elementsBefore,
  isUnrounded,
  plainLayout,
  withoutFactors,
} from './wire-layout.js';
export { type NetworkWires, factoredWeights, networkWires } from './wires.js';
