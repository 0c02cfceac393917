// Bundles @fourfold/upscale for browsers: one file without imports, which a page loads by <script type="module">, and TensorFlow.js's
// WebAssembly beside it. Nothing of Node.js may be in it: the build fails where a module imports some.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';

/** Where the build puts it: the published package holds this folder. */
export const bundleFolder = 'packages/upscale/dist/assets';
export const bundleFile = `${bundleFolder}/upscale.js`;

/** Bundle the compiled sources. */
export async function bundleForBrowsers() {
  mkdirSync(bundleFolder, { recursive: true });
  const { metafile } = await build({
    entryPoints: ['packages/upscale/dist/browser.js'],
    outfile: bundleFile,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    // Names are not kept: TensorFlow.js starts threads from the source text of its functions, and they lack esbuild's helper for names.
    legalComments: 'eof',
    logLevel: 'warning',
    metafile: true,
    plugins: [ours],
  });
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  if (imported.length > 0) throw new Error(`the bundle for browsers imports ${imported.join(', ')}`);
  if (/createRequire/.test(await readFile(bundleFile, 'utf8')))
    throw new Error('the bundle for browsers requires a module');
  const wasm = 'node_modules/@tensorflow/tfjs-backend-wasm/dist';
  for (const file of readdirSync(wasm).filter((name) => name.endsWith('.wasm'))) {
    copyFileSync(`${wasm}/${file}`, `${bundleFolder}/${file}`);
  }
}

/** Our modules do nothing when they are loaded, so that those which a page does not use can be left out with their imports. */
const ours = {
  name: 'ours',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^(@fourfold\/|[.])/ }, async ({ path, pluginData, ...options }) => {
      if (pluginData === 'resolved' || !/\/packages\/[^/]+\/dist\//.test(options.importer)) return undefined;
      const found = await resolve(path, { ...options, pluginData: 'resolved' });
      return { ...found, sideEffects: false };
    });
    onResolve({ filter: /^node:assert\/strict$/ }, () => ({ path: 'assert', namespace: 'ours', sideEffects: false }));
    // Imports of modules that are left out disappear with them.
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
    onLoad({ filter: /\/packages\/model\/dist\/.*[.]js$/ }, async ({ path }) => ({
      contents: importing(await readFile(path, 'utf8')),
    }));
    onLoad({ filter: /^assert$/, namespace: 'ours' }, () => ({ contents: assertSource }));
  },
};

/** What Node.js loads by `require`, a bundle imports: only so can it leave out what is not used. */
function importing(source) {
  const withoutRequire = source.replace(/^.*createRequire\b.*\n/gm, '');
  return withoutRequire.replace(/^const (\w+) = __require\((.*)\);$/gm, 'import * as $1 from $2;');
}

/** The part of node:assert/strict that layers use. */
const assertSource = `
export default function assert(value, message) {
  if (!value) throw new Error(message);
}
assert.equal = (found, expected, message) => assert(Object.is(found, expected), message);
`;
