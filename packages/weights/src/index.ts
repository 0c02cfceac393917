export { hwioToOihw, oihwToHwio } from './filters.js';
export { floatsOf } from './floats.js';
export { initialVector } from './initial-parameters.js';
export {
  type Layout,
  type TensorPlace,
  type VggDepth,
  discriminatorLayout,
  discriminatorStages,
  factorNames,
  generatorLayout,
  vggGroups,
  vggGroupsUpTo,
  vggLayout,
  wideWeights,
} from './layout.js';

export { type NamedArray, decodeSafetensors, encodeSafetensors } from './safetensors.js';
export { type VggPreprocessing, preprocessingKey, vggInput } from './vgg-preprocessing.js';
export {
  safetensorsFromVector,
  torchvisionName,
  vectorFromSafetensors,
  vggFromTensors,
  vggWeights,
} from './weights-file.js';

export {
  type WireLayout,
  createWireLayout,
  cutBySection,
  elementBytesOf,
  isUnrounded,
  plainLayout,
} from './wire-layout.js';

export { factoredWeights, networkWires } from './wires.js';
