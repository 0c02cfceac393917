// Bundles TensorFlow.js's own test suite with this backend into one file, unless that is newer than all that it is made of.
import { build } from 'esbuild';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The bundle. In dist, so that the sources find the addon. */
export const suiteFile = path('../dist/conformance.mjs');

export async function buildSuite() {
  const madeMs = timeOf(suiteFile) ?? 0;
  if (sources().every((source) => (timeOf(source) ?? Infinity) < madeMs)) return;
  await build({
    entryPoints: [path('suite.mjs')],
    outfile: suiteFile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // The tests' ES modules, so that they and the backend share one TensorFlow.js.
    mainFields: ['module', 'main'],
    // Their package claims that imports have no side effects.
    ignoreAnnotations: true,
    banner: {
      js: "import { createRequire as forRequire } from 'node:module'; const require = forRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
}

const timeOf = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs;

/** The suite's own modules, the backend's, and the file that npm writes whenever it changes a package. */
const sources = () => [
  ...['.', '../src'].flatMap((folder) =>
    readdirSync(path(folder), { recursive: true }).map((name) => join(path(folder), name)),
  ),
  path('../../../node_modules/.package-lock.json'),
];
