/*
 * The model in the form that UpscalerJS (npm `upscaler`) expects. Input and output are in 0 to 1, as in the model itself; the output is
 * rounded to whole levels because UpscalerJS truncates fractions.
 *
 *   import Upscaler from 'upscaler';
 *   import { fourfoldModel } from './upscaler-model.js';
 *   const upscaler = new Upscaler({ model: fourfoldModel('/models/photos/model.json') });
 *   const image = await upscaler.upscale('photograph.png', { patchSize: 128, padding: 24 });
 */

/** UpscalerJS's ModelDefinition; `path` is where model.json is served. */
export const fourfoldModel = (path) => ({
  path,
  scale: 4,
  modelType: 'graph',
  inputRange: [0, 1],
  outputRange: [0, 255],
  postprocess: (sr) => sr.mul(255).add(0.5).floor(),
});
