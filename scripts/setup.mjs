// Prepares a fresh clone: installs the npm packages, if the lock file has changed, and builds.
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChild } from './child-processes.mjs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`fourfold needs Node.js 20.19 or later; this is ${process.version}. Install a current Node.js LTS.`);
  process.exit(2);
}
process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const installed = 'node_modules/.package-lock.json';
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs) {
  console.error('fourfold: installing npm packages ...');
  await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}
await run(process.execPath, ['scripts/build.mjs']);

async function run(command, args) {
  const { code } = await runChild(command, args, { stdio: ['ignore', 2, 2] });
  if (code !== 0) process.exit(code ?? 1);
}
