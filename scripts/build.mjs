// Builds everything: the coordinator's WebAssembly module, then all TypeScript projects in order of reference.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

function run(command, args) {
  const { status, error } = spawnSync(process.execPath, [`node_modules/${command}`, ...args], { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

if (existsSync('packages/coordinator/assembly/update.ts')) {
  run('assemblyscript/bin/asc.js', [
    'packages/coordinator/assembly/update.ts',
    '--config=packages/coordinator/assembly/asconfig.json',
  ]);
}
run('typescript/bin/tsc', ['--build', ...process.argv.slice(2)]);
