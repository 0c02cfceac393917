export * from './errors.js';
export * from './random.js';
export * from './object-store.js';
export * from './config/schema.js';
