import { encodeTorchGenerator, generatorLayout, initialVector, safetensorsFromVector } from '@fourfold/weights';

/** A small generator with weights of a seed. */
export const config = { channels: 4, blocks: 2 };
export const layout = generatorLayout(config);
export const vector = initialVector(layout, 3);

/** Its file as a checkpoint has it, and as it is exported for PyTorch. */
export const checkpointBytes = safetensorsFromVector(layout, vector, {});
export const exportedBytes = encodeTorchGenerator({ config, layout, vector }, {});
