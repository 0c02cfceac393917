// Builds everything that is older than its sources: types of the wire from proto/, the WebAssembly modules, all TypeScript projects.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';

/** npm writes it when it has installed another version of anything. */
const installed = 'node_modules/.package-lock.json';

const proto = 'proto/fourfold/v1/fourfold.proto';
const types = 'packages/common/src/generated';
if (isOlder(`${types}/fourfold.ts`, [proto])) {
  run('@grpc/proto-loader/build/bin/proto-loader-gen-types.js', [
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
const modules = { 'packages/common': 'bf16', 'packages/coordinator': 'update' };
// They import each other's.
const sources = Object.keys(modules).flatMap((folder) =>
  readdirSync(`${folder}/assembly`).map((file) => `${folder}/assembly/${file}`),
);
for (const [folder, module] of Object.entries(modules)) {
  if (isOlder(`${folder}/dist/${module}.wasm`, sources)) {
    run('assemblyscript/bin/asc.js', [`${folder}/assembly/${module}.ts`, `--config=${folder}/assembly/asconfig.json`]);
  }
}
run('typescript/bin/tsc', ['--build', ...process.argv.slice(2)]);

function isOlder(output, sources) {
  if (!existsSync(output)) return true;
  const { mtimeMs } = statSync(output);
  return [...sources, installed, 'scripts/build.mjs'].some(
    (source) => statSync(source, { throwIfNoEntry: false })?.mtimeMs >= mtimeMs,
  );
}

function run(command, args) {
  const { status, error } = spawnSync(process.execPath, [`node_modules/${command}`, ...args], { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
