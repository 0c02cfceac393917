/*
 * The model as UpscalerJS (npm `upscaler`) takes it. It takes and gives 0 to 1, as the model does; what it gives is rounded to whole
 * levels, since UpscalerJS cuts fractions off.
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
