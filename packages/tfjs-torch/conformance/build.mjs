// Bundles TensorFlow.js's own test suite with this backend into one file.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The bundle. In dist, so that the sources find the addon. */
export const suiteFile = path('../dist/conformance.mjs');

export async function buildSuite() {
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
