// Builds everything: types of the wire from proto/, the WebAssembly modules, then all TypeScript projects.
import { spawnSync } from 'node:child_process';

function run(command, args) {
  const { status, error } = spawnSync(process.execPath, [`node_modules/${command}`, ...args], { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

run('@grpc/proto-loader/build/bin/proto-loader-gen-types.js', [
  '--longs=Number',
  '--enums=String',
  '--defaults',
  '--oneofs',
  '--grpcLib=@grpc/grpc-js',
  '--importFileExtension=.js',
  '--outDir=packages/common/src/generated',
  'proto/fourfold/v1/fourfold.proto',
]);
for (const [name, module] of [
  ['common', 'bf16'],
  ['coordinator', 'update'],
]) {
  const folder = `packages/${name}/assembly`;
  run('assemblyscript/bin/asc.js', [`${folder}/${module}.ts`, `--config=${folder}/asconfig.json`]);
}
run('typescript/bin/tsc', ['--build', ...process.argv.slice(2)]);
