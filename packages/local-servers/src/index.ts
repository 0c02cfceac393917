/*
 * For the tests: the servers of `fourfold cluster` (packages/cli/src/servers), Kubernetes (`kubernetes.ts`) with
 * simulated nodes or real ones (`kubernetes-node.ts`), and where programs and a browser are (`find-program.ts`).
 */
export * from 'fourfold/servers';
export { customResourcesFolder, findBrowser, findProgram, requireProgram, type ServerProgram } from './find-program.js';
export * from './kubernetes.js';
export * from './kubernetes-node.js';
export { pauseImage } from './node-files.js';
export { imageBase, missingForNodes } from './node-needs.js';
export { startNodeNetwork, type NodeNetwork } from './node-network.js';
