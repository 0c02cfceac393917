// Which files the bundle holds: the packages' compiled files, and of node_modules what these load.
import { build } from 'esbuild';
import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultModel } from '../../packages/cli/dist/upscaling/models.js';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** All but tests' own. */
const packages = readdirSync(join(root, 'packages')).filter((name) => name !== 'local-servers');

/** Of commands that the check does not run, and of platforms that it does not run on. */
const unused = [
  '@kubernetes/*',
  '@napi-rs/*',
  'h5wasm',
  'chart.js',
  'jstat',
  'onnxruntime-web',
  'vitest',
  '@img/sharp-*',
];

/** Of node_modules: what is loaded by names that only run-time code knows, and what is both imported and required. */
const whole = [
  ...['@img/colour', '@img/sharp-linux-x64', '@img/sharp-libvips-linux-x64', 'sharp/dist', 'sharp/lib'],
  ...['node-api-headers/include', 'node-api-headers/package.json'],
  ...['', '-simd', '-threaded-simd'].map((kind) => `@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm${kind}.wasm`),
];

const others = [
  'package.json',
  ...['child-processes.mjs'].map((name) => `scripts/${name}`),
  ...['bench/gpu/check.mjs', 'bench/gpu/steps.mjs', 'bench/gpu/summary.mjs', 'bench/peers/torch_srgan.py'],
  'test/reference/iteration.safetensors',
];

/** The files under a folder, or the file itself. */
function filesIn(folder) {
  const state = statSync(join(root, folder), { throwIfNoEntry: false });
  if (!state?.isDirectory()) return state ? [folder] : [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

/** Pictures, manifests and models that the check does not read: it enlarges with the default model. */
const unreadAssets = new RegExp(
  `/assets/(models/(?!${defaultModel}/)|k8s/|photographs/held-out/)|/upscale/dist/assets/`,
);

/** What a package has at run time. */
const isRunTime = (path) =>
  !/\/(node_modules|conformance|build|out|assembly|coverage)\/|\.(map|tsbuildinfo|d\.ts|test\.js)$/.test(path) &&
  !/\/src\/.*\.ts$|tsconfig/.test(path) &&
  !unreadAssets.test(path);

/** TypeScript's and our own `createRequire` calls, as an import that esbuild follows. */
const followingRequire = {
  name: 'following require',
  setup({ onLoad }) {
    onLoad({ filter: /\/packages\/[^/]+\/dist\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8')
        .replace(/^.*createRequire.*$/gm, '')
        .replace(/\b(__require|requireHere)\(/g, 'require('),
    }));
  },
};

/** The files of node_modules that modules load, and the package.json beside them. */
async function loadedBy(modules) {
  const { metafile } = await build({
    stdin: { contents: modules.map((path) => `import './${path}';`).join('\n'), resolveDir: root },
    absWorkingDir: root,
    // Of imports without effects, too.
    ignoreAnnotations: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    metafile: true,
    external: [...unused, '*.node'],
    logLevel: 'error',
    plugins: [followingRequire],
  });
  const loaded = Object.keys(metafile.inputs).filter((path) => path.startsWith('node_modules/'));
  return new Set(loaded.flatMap((path) => [path, ...manifestsAbove(path)]));
}

function manifestsAbove(path) {
  const folder = dirname(path);
  if (folder.endsWith('node_modules') || folder === '.') return [];
  const own = `${folder}/package.json`;
  return [...(existsSync(join(root, own)) ? [own] : []), ...manifestsAbove(folder)];
}

/** Links of node_modules to the packages, as npm makes them. */
function linksToPackages() {
  const links = ['@fourfold', '.'].flatMap((scope) =>
    readdirSync(join(root, 'node_modules', scope)).map((name) => join('node_modules', scope, name)),
  );
  const folders = packages.map((name) => join(root, 'packages', name));
  const isOurs = (path) => folders.includes(realpathSync(join(root, path)));
  return links.filter((path) => !path.includes(`${sep}.`) && isOurs(path));
}

/** The paths of the bundle's files, from the root of the repository. */
export async function contents() {
  const own = packages.flatMap((name) => filesIn(`packages/${name}`)).filter(isRunTime);
  const isTestOnly = (path) => /\/test-(?!iteration|reference)[^/]*\.js$/.test(path);
  const files = own.filter((path) => !isTestOnly(path));
  const modules = files.filter((path) => /\/dist\/(?!assets\/|conformance).*\.js$/.test(path));
  const loaded = await loadedBy(modules);
  const wholeFiles = whole.flatMap((name) => filesIn(`node_modules/${name}`));
  return [...new Set([...others, ...files, ...loaded, ...wholeFiles, ...linksToPackages()])];
}
