export * from './layout.js';
export * from './initial-parameters.js';
export * from './safetensors.js';
export * from './weights-file.js';
export * from './metrics.js';
