/*
 * For the tests: the servers of `fourfold cluster` (packages/cli/src/servers), a Kubernetes without containers (`kubernetes.ts`), and
 * where programs and a browser are (`find-program.ts`).
 */
export * from 'fourfold/servers';
export { customResourcesFolder, findBrowser, findProgram, requireProgram, type ServerProgram } from './find-program.js';
export * from './kubernetes.js';
