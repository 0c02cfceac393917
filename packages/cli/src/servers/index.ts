/*
 * The servers of a cluster on this machine, as child processes that end with this one: nats-server, MinIO and Prometheus, with
 * certificates and secrets (`startClusterServers`), and a proxy that delays bytes like a long link.
 */
export * from './cluster-servers.js';
export * from './delaying-proxy.js';
export * from './find-program.js';
export * from './free-ports.js';
export { createGuard } from './guard.js';
export * from './minio.js';
export * from './nats.js';
export * from './prometheus.js';
export { launchServer, type LocalServer } from './server.js';
