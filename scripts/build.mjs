// Builds everything that is older than its sources: types from proto/, the WebAssembly modules, all TypeScript projects, and the
// packages' copies of files that lie outside them.
import { copyFileSync, cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleFile, bundleForBrowsers } from './bundle-browser.mjs';
import { bundleKubernetesClient, kubernetesBundle } from './bundle-kubernetes.mjs';
import { bundleZod, zodBundle } from './bundle-zod.mjs';
import { runChild } from './child-processes.mjs';

/** npm writes this file whenever it changes an installed version. */
const installed = 'node_modules/.package-lock.json';

const proto = 'proto/fourfold/v1/fourfold.proto';
const types = 'packages/rpc/src/generated';
if (isOlder(`${types}/fourfold.ts`, [proto])) {
  await run('node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js', [
    '--longs=Number',
    '--enums=String',
    '--defaults',
    '--oneofs',
    '--grpcLib=@grpc/grpc-js',
    '--importFileExtension=.js',
    `--outDir=${types}`,
    proto,
  ]);
}
const modules = {
  'packages/rpc': 'vectors',
  'packages/imaging': 'resize',
  'packages/data-loader': 'crop',
  'packages/coordinator': 'update',
};
// The modules import each other's sources.
const sources = Object.keys(modules).flatMap((folder) =>
  readdirSync(`${folder}/assembly`).map((file) => `${folder}/assembly/${file}`),
);
for (const [folder, module] of Object.entries(modules)) {
  if (isOlder(`${folder}/dist/${module}.wasm`, sources)) {
    await run('node_modules/assemblyscript/bin/asc.js', [
      `${folder}/assembly/${module}.ts`,
      `--config=${folder}/assembly/asconfig.json`,
    ]);
  }
}
// TypeScript 7 takes a fraction of the CPU time. What needs the compiler's JavaScript API (the linter, TypeDoc) stays with TypeScript 6.
const typescript = import.meta.resolve('typescript-7/package.json');
await run(fileURLToPath(new URL('bin/tsc', typescript)), ['--build', ...process.argv.slice(2)]);

// What sources that are gone have left would be published.
for (const dist of readdirSync('packages').map((name) => `packages/${name}/dist`)) {
  for (const path of readdirSync(dist, { recursive: true })) {
    const source = /^(?!assets\/)(.*)[.]js$/.exec(path)?.[1];
    if (!source || existsSync(join(dist, '../src', `${source}.ts`))) continue;
    for (const end of ['.js', '.js.map', '.d.ts', '.d.ts.map']) rmSync(join(dist, source + end), { force: true });
  }
}

const browserSources = ['common', 'weights', 'model', 'upscale'].flatMap((name) =>
  readdirSync(`packages/${name}/dist`, { recursive: true })
    .filter((path) => path.endsWith('.js') && !path.startsWith('assets'))
    .map((path) => `packages/${name}/dist/${path}`),
);
if (isOlder(bundleFile, ['scripts/bundle-browser.mjs', ...browserSources])) await bundleForBrowsers();
if (isOlder(zodBundle, ['scripts/bundle-zod.mjs'])) await bundleZod();
if (isOlder(kubernetesBundle, ['scripts/bundle-kubernetes.mjs'])) await bundleKubernetesClient();

/** Files that a package reads at run time, and its own copy of them: a published package has nothing beside it. */
const copies = {
  proto: 'packages/rpc/dist/proto',
  'deploy/k8s': 'packages/cli/dist/assets/k8s',
  'examples/photographs': 'packages/cli/dist/assets/photographs',
  'bench/configs': 'packages/cli/dist/assets/bench',
  'examples/srgan/checkpoint': 'packages/cli/dist/assets/models/srgan',
  'examples/srresnet-mse/checkpoint': 'packages/cli/dist/assets/models/srresnet-mse',
};
for (const [source, copy] of Object.entries(copies)) {
  if (!isOlder(copy, [source, ...readdirSync(source, { recursive: true }).map((path) => join(source, path))])) continue;
  rmSync(copy, { recursive: true, force: true });
  cpSync(source, copy, { recursive: true });
}
// npm puts a LICENSE into a package only from the package's own folder.
for (const name of readdirSync('packages')) {
  const license = `packages/${name}/LICENSE`;
  if (isOlder(license, ['LICENSE'])) copyFileSync('LICENSE', license);
}

function isOlder(output, sources) {
  if (!existsSync(output)) return true;
  const { mtimeMs } = statSync(output);
  return [...sources, installed, 'scripts/build.mjs'].some(
    (source) => statSync(source, { throwIfNoEntry: false })?.mtimeMs >= mtimeMs,
  );
}

async function run(script, args) {
  const stdio = ['ignore', 'inherit', 'inherit'];
  const { code } = await runChild(process.execPath, [script, ...args], { stdio });
  if (code !== 0) process.exit(code ?? 1);
}
