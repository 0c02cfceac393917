/*
 * A generator at work, for programs that do nothing else with it. It loads TensorFlow.js's core, and no backend.
 */

export { type Border, tileOverlap } from './surroundings.js';
export { type Upscaler, createUpscaler, resultOf } from './upscaler.js';
