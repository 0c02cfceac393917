export * from './find-program.js';
export * from './minio.js';
export * from './nats.js';
export * from './prometheus.js';
export type { LocalServer } from './server.js';
