/*
 * The command `fourfold`.
 *
 * - program.ts   its commands; commands/ has a file for each, which checks arguments and calls a folder below
 * - train/       a run on this machine, whose parts are started again when they die
 * - cluster/     a run on this machine with real servers; servers/ starts those
 * - kubernetes/  a run's config into Kubernetes objects (manifests.ts), sent and followed
 * - demo/        a short run on the photographs of the examples
 * - upscaling/   pictures upscaled with little memory
 * - evaluation/  test sets measured, beside published figures (published.ts)
 * - exporting/   generators for other runtimes
 * - mos/         opinion tests with people
 * - bench/       measurements of this machine
 * - report/      curves and comparisons, drawn; terminal/ has tables and progress bars
 */

export { createProgram } from './program.js';
