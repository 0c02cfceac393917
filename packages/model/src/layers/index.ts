export * from './layer.js';
export * from './convolution.js';
export * from './dense.js';
export * from './activation.js';
export * from './batch-norm.js';
export * from './resampling.js';
